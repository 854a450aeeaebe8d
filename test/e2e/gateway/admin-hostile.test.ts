import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf, noBackend } from '../../support/admin.ts'
import { buildGateway } from '../../support/gateway.ts'
import { checkPlain } from '../../support/hostile.ts'

const texts = [
  "'",
  "''",
  "' or '1'='1",
  "'; drop table accounts; --",
  '"; drop table accounts; --',
  "') union select digest from api_keys --",
  "admin'--",
  '1; select pg_sleep(10)',
  '$1',
  '$$; drop table accounts; $$',
  '\\',
  "\\'; drop table accounts; --",
  '\\x27',
  '%27%20or%201%3D1',
  '%',
  '_',
  '*',
  '{}',
  '{"$ne":null}',
  '__proto__',
  'constructor',
  'null',
  'NaN',
  '-1',
  '../../etc/passwd',
  '#{7*7}',
  '{{7*7}}',
  '<script>alert(1)</script>',
  '\u202eevil\u202c',
  '\ufeff',
  '😀'.repeat(32),
  'Ω≈ç√∫˜µ≤≥÷',
  '田中さんにあげて下さい',
  '\t',
  'a\r\nx-injected: 1',
  '\u0000',
  '\u001b[31m',
  '\u009b31m',
  '\ud800',
  'x'.repeat(10_000),
]
/** What a name may be; everything else is a 400. */
const isName = (text: string) => /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(text) && text.length <= 128 && text.trim() === text

test('K05 whatever stands in a name, a model, metadata, a filter or a path, it is data or a 400', async t => {
  const gateway = await buildGateway(t, { env: noBackend })
  const admin = adminOf(gateway)
  await admin.get('POST', '/accounts', { name: 'acme', tier: 'enterprise' })
  const tables = await gateway.app.sql`select count(*)::int as n from information_schema.tables`
  for (const text of texts) {
    const what = JSON.stringify(text.slice(0, 50))
    const made = await admin.ask('POST', '/accounts', { name: text, metadata: { note: 'x' } })
    assert.equal(made.status, isName(text) ? 201 : 400, what)
    if (made.status === 201) {
      const found = await admin.get<{ data: object[] }>('GET', `/accounts?name=${encodeURIComponent(text)}`)
      assert.deepEqual(found.data, [made.body], what)
      assert.deepEqual(await admin.get('GET', `/accounts/${encodeURIComponent(text)}`), made.body, what)
    } else checkPlain(String(made.error?.message))

    const key = await admin.ask('POST', '/keys', {
      account: 'acme',
      models: [text],
      metadata: { [text]: 'x', note: text },
    })
    assert.ok([201, 400].includes(key.status), `${what} ${key.status}`)
    if (key.status === 201)
      assert.deepEqual([key.body['models'], key.body['metadata']], [[text], { [text]: 'x', note: text }])

    const inUrl = encodeURIComponent(text.toWellFormed())
    const reads = [
      ...['/keys/', '/accounts/', '/tiers/'].map(path => `${path}${inUrl}`),
      ...['/keys?account=', '/accounts?tier=', '/audit?target_id=', '/audit?actor_id=', '/audit?since='].map(
        path => path + inUrl,
      ),
      ...['/accounts?cursor=', '/keys?cursor=', '/audit?cursor='].map(path => path + inUrl),
      ...['account', 'group_by', 'cursor'].map(name => `/usage?${name}=${inUrl}`),
      ...['model', 'to', 'cursor'].map(name => `/usage/events?${name}=${inUrl}`),
    ]
    for (const path of reads) {
      const answer = await admin.ask('GET', path)
      assert.ok([200, 400, 404].includes(answer.status), `${path.slice(0, 80)} ${answer.status}`)
      if (answer.error !== null) checkPlain(answer.error.message)
    }
  }
  assert.deepEqual([...(await gateway.app.sql`select count(*)::int as n from information_schema.tables`)], [...tables])
})
