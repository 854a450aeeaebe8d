import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { naughty } from '../../support/naughty.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { adminKey, pepper, untilReady } from './calls.ts'

/** A header can have printable Latin-1 and tabs, not at its ends. */
const asHeader = (text: string) =>
  text
    .replace(/[^\t\x20-\x7e\x80-\xff]/g, '')
    .slice(0, 1500)
    .trim()

test('O04 whatever stands in models, metadata, headers, paths and names, each record is one line of plain text', async t => {
  assert.ok(naughty.length > 300, `${naughty.length} strings`)
  const backend = await startScriptedBackend(t)
  const gateway = await startGateway(t, {
    env: {
      ...{ DATABASE_URL: await createDatabase(t), WEIR_BACKEND_URL: backend.url },
      ...{ WEIR_ADMIN_KEY: adminKey, WEIR_KEY_PEPPER: pepper, LOG_LEVEL: 'trace' },
    },
  })
  await untilReady(gateway.url)
  const before = gateway.stdout.length
  const post = async (path: string, body: object, headers: Record<string, string>) => {
    const answer = await boundedFetch(`${gateway.url}${path}`, {
      method: 'POST',
      headers: { ...headers, authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    await answer.text()
    return answer.status
  }
  const messages = [{ role: 'user', content: 'Hi' }]
  const accounts: number[] = []
  for (const text of naughty) {
    const value = asHeader(text)
    const headers = { 'x-request-id': value, 'user-agent': value, traceparent: value, 'x-api-key-hint': value }
    const chat = { model: 'tinychat', messages, metadata: { [text]: text }, user: text }
    assert.ok((await post('/v1/chat/completions', chat, headers)) < 500)
    const unknown = await post('/v1/chat/completions', { ...chat, model: text }, headers)
    assert.ok([400, 404].includes(unknown), `${unknown} for ${JSON.stringify(text)}`)
    const status = await post(`/${encodeURIComponent(text.toWellFormed()).slice(0, 2000)}`, {}, headers)
    assert.ok(status >= 400 && status < 500, `${status} for ${JSON.stringify(text)}`)
    accounts.push(await post('/admin/accounts', { name: text, tier: 'free' }, headers))
  }
  assert.ok(accounts.includes(201), `names are taken: ${[...new Set(accounts)]}`)
  const requests = () => gateway.logs().filter(({ msg }) => msg === 'request').length
  await eventually('all lines', () => requests() >= 4 * naughty.length, { withinMs: 10_000 })
  for (const line of gateway.stdout.slice(before)) {
    assert.equal(typeof JSON.parse(line), 'object', line)
    assert.doesNotMatch(line, /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u200b-\u200f\ufeff]/u)
    assert.ok(line.isWellFormed() && line.length < 4096, `${line.length} characters`)
    assert.notEqual(JSON.parse(line).msg, 'forged')
  }
  const metrics = await boundedFetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } })
  const series = (await metrics.text()).split('\n').filter(line => line !== '' && !line.startsWith('#'))
  const form = /^[a-zA-Z_:][\w:]*(\{(\w+="[^"\\\n]*",?)*\})? (-?[\d.e+-]+|NaN|[+-]Inf)( \d+)?$/
  for (const line of series) assert.match(line, form)
})
