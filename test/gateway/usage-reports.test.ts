import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ExperimentReportView } from '../../src/schemas/admin/experiments.ts'
import { adminOf, assertRefused } from '../support/admin.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { signHs256 } from '../support/jwt-maker.ts'
import { makeKey } from '../support/keys.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'
import { type ListOf, parseCsv, pick, type Row, untilStored } from '../support/usage-reports.ts'

const issuer = 'https://id.example'
const secret = '0f1e2d3c4b5a69788796a5b4c3d2e1f0-of-the-issuer'
/** A name that a spreadsheet would compute, and that a table has to quote. */
const formula = '=HYPERLINK("http://evil"),x'
const messages = [{ role: 'user', content: 'Hi' }]

/** One backend that answers each chat with 7 tokens to a prompt of 16, of which 4 were cached: 0.00049 USD. */
async function build(t: TestContext) {
  const answer = { cachedTokens: 4 }
  const backend = await startScriptedBackend(t, llamaServer({ answer, dimensions: 4 }))
  const targets = ['old', 'new'].map(arm => ({ backend: 'main', model: `tinychat-${arm}`, arm }))
  const experiment = { name: 'quantisation', stickBy: 'x-user' }
  const prices = [{ from: '2026-01-01', input: '10', cachedInput: '5', output: '50' }]
  const yaml = JSON.stringify({
    routing: { maxAttempts: 1 },
    backends: { main: { url: backend.url, engine: 'llama-server', slots: 100 } },
    models: {
      tinychat: { endpoints: ['chat', 'embeddings'], targets, experiment, prices },
      [formula]: { targets: [{ backend: 'main' }] },
    },
    auth: { issuers: { corp: { issuer, audience: ['weir'], secret: { env: 'ISSUER_SECRET' } } } },
  })
  const gateway = await buildGateway(t, { yaml, env: { ISSUER_SECRET: secret } })
  const admin = adminOf(gateway)
  await eventually(
    'the states are known',
    async () => (await admin.ask('GET', '/experiments/quantisation')).status === 200,
  )
  const identities = [{ issuer, subject: 'ada' }]
  const { id: acme } = await admin.get<{ id: string }>('POST', '/accounts', {
    name: 'acme',
    tier: 'premium',
    identities,
  })
  const shop = await makeKey(gateway.app, { account: 'acme', name: 'shop' })
  const desk = await makeKey(gateway.app, { account: 'acme', name: 'desk' })
  const other = await makeKey(gateway.app, { account: 'other', tier: 'free' })
  const mute = await makeKey(gateway.app, { account: 'acme', name: 'mute', scopes: ['chat'] })
  const token = signHs256(secret, { iss: issuer, aud: 'weir', sub: 'ada', exp: Math.ceil(Date.now() / 1000) + 600 })
  const post = async (key: string, path: string, body: object, user = 'someone') => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-user': user }
    const answer = await gateway.fetch(`${gateway.url}/v1${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    await answer.text()
    return answer.status
  }
  const ask = async (key: string, body: object = {}, user?: string) =>
    await post(key, '/chat/completions', { model: 'tinychat', messages, ...body }, user)
  const own = async (key: string, query = '', headers: Record<string, string> = {}) =>
    await gateway.fetch(`${gateway.url}/v1/usage${query}`, { headers: { authorization: `Bearer ${key}`, ...headers } })
  const ownRows = async (key: string, query = '') => ((await (await own(key, query)).json()) as ListOf<Row>).data
  return { gateway, backend, admin, acme, keys: { shop, desk, other, mute, token }, post, ask, own, ownRows }
}

const idOf = (key: string) => key.slice(8, 24)

test('what requests have used is told by whom, of what and how it ended, to whom it may be told', async t => {
  const { gateway, backend, admin, acme, keys, post, ask, own, ownRows } = await build(t)
  const { shop, desk, other, mute, token } = keys
  const users = Array.from({ length: 6 }, (_, index) => `user-${index}`)
  for (const user of users) assert.equal(await ask(shop, {}, user), 200)
  assert.equal(await ask(desk, { stream: true }), 200)
  assert.equal(await ask(desk, { model: formula }), 200)
  assert.equal(await ask(token), 200)
  assert.equal(await post(other, '/embeddings', { model: 'tinychat', input: 'Hi' }), 200)
  // What never gets as far as a backend is no request of the ledger.
  assert.equal(await ask(shop, { model: 'none' }), 404)
  backend.use(llamaServer({ chat: exchange => exchange.answer(500, [['content-type', 'application/json']], '{}') }))
  assert.ok((await ask(other)) >= 500)
  await untilStored(gateway, admin, 11)
  const sums = async (query: string) => (await admin.get<ListOf<Row>>('GET', `/usage?granularity=none&${query}`)).data

  await t.test('sums are what the requests have used', async () => {
    const [row] = await sums('account=acme&model=tinychat')
    const { backend_ms, queue_ms, first_token_ms, total_ms, ...counted } = row ?? {}
    assert.deepEqual(counted, {
      object: 'usage',
      period: null,
      requests: 8,
      unpriced_requests: 0,
      estimated_requests: 0,
      input_tokens: 8 * 16,
      cached_input_tokens: 8 * 4,
      output_tokens: 8 * 7,
      reasoning_tokens: 0,
      cost: '0.00392',
      first_tokens: 8,
    })
    assert.ok(Number(total_ms) >= Number(first_token_ms) && Number(backend_ms) > 0 && Number(queue_ms) >= 0)
    const [all] = await sums('')
    assert.deepEqual([all?.['requests'], all?.['unpriced_requests'], all?.['object']], [11, 1, 'usage'])
    assert.deepEqual(await sums('account=other&model=nothing'), [])
  })

  await t.test('each dimension tells them apart, and filters say the same', async () => {
    const byAccountAndKey = await sums(`account=${acme}&group_by=account,key`)
    assert.deepEqual(
      new Set(pick(byAccountAndKey, 'account', 'key', 'requests').map(String)),
      new Set(
        [
          [acme, idOf(shop), 6],
          [acme, idOf(desk), 2],
          [acme, null, 1],
        ].map(String),
      ),
    )
    assert.deepEqual(pick(await sums('group_by=model'), 'model', 'requests', 'unpriced_requests', 'cost'), [
      [formula, 1, 1, '0'],
      ['tinychat', 10, 0, (await sums('model=tinychat'))[0]?.['cost']],
    ])
    assert.deepEqual(pick(await sums('group_by=tier'), 'tier', 'requests'), [
      ['free', 2],
      ['premium', 9],
    ])
    assert.deepEqual(pick(await sums('group_by=endpoint'), 'endpoint', 'requests'), [
      ['chat', 10],
      ['embeddings', 1],
    ])
    assert.deepEqual(pick(await sums('group_by=status,backend'), 'status', 'backend', 'requests'), [
      ['error', null, 1],
      ['ok', 'main', 10],
    ])
    const arms = await sums('group_by=experiment,arm&account=acme&model=tinychat')
    assert.deepEqual([...new Set(pick(arms, 'experiment').flat())], ['quantisation'])
    assert.deepEqual(new Set(pick(arms, 'arm').flat()), new Set(['old', 'new']))
    for (const name of ['tier', 'model', 'endpoint', 'status', 'arm', 'key', 'account']) {
      for (const row of await sums(`group_by=${name}`)) {
        if (row[name] === null) continue
        const [same] = await sums(`${name}=${encodeURIComponent(String(row[name]))}`)
        assert.deepEqual({ [name]: row[name], ...same }, row, name)
      }
    }
    assert.deepEqual(await sums('backend=main&experiment=quantisation&account=other&endpoint=chat'), [])
  })

  await t.test('an experiment says what its arms cost', async () => {
    const report = await admin.get<ExperimentReportView>('GET', '/experiments/quantisation')
    const rows = await sums('experiment=quantisation&group_by=arm')
    for (const { name, cost } of report.arms) {
      const row = rows.find(({ arm }) => arm === name)
      assert.deepEqual([cost?.requests, cost?.unpriced_requests, cost?.total], [row?.['requests'], 0, row?.['cost']])
      assert.equal(Number(cost?.mean), Math.round((Number(cost?.total) / Number(cost?.requests)) * 1e9) / 1e9)
    }
    const [old, fresh] = report.arms.map(({ cost }) => cost)
    assert.equal(old?.times_control, null)
    assert.ok(Math.abs(Number(fresh?.times_control) - Number(fresh?.mean) / Number(old?.mean)) < 1e-6)
  })

  await t.test('a key is told what it has used itself, and an account all of it', async () => {
    const asked = '?granularity=none&group_by=key,model'
    const told = async (key: string) => pick(await ownRows(key, asked), 'key', 'model', 'requests').map(String)
    assert.deepEqual(await told(shop), [`${idOf(shop)},tinychat,6`])
    assert.deepEqual(await told(desk), [`${idOf(desk)},${formula},1`, `${idOf(desk)},tinychat,1`])
    const all = [...(await told(shop)), ...(await told(desk)), ',tinychat,1']
    assert.deepEqual(new Set(await told(token)), new Set(all))
    assert.deepEqual(await told(adminKey), [])
    assert.deepEqual(pick(await ownRows(token, `?key=${idOf(desk)}&granularity=none`), 'requests'), [[2]])
    assert.deepEqual(pick(await ownRows(shop, `?key=${idOf(shop)}&granularity=none`), 'requests'), [[6]])
    const foreign = await own(shop, `?key=${idOf(desk)}`)
    assert.equal(foreign.status, 403)
    assert.match(await foreign.text(), /leave out key/)
    assert.deepEqual([(await own(mute)).status, (await own('sk-weir-none')).status], [403, 401])
    assertRefused(await adminOf(gateway, shop).ask('GET', '/usage'), 403)
    assertRefused(await adminOf(gateway, shop).ask('GET', '/usage/events'), 403)
    // By the day of today, where nothing is said; of whom it is cannot be asked.
    const [day] = await ownRows(shop)
    assert.match(String(day?.['period']), /T00:00:00\.000Z$/)
    assert.equal((await own(shop, '?account=other')).status, 400)
    assert.equal((await own(shop)).headers.get('cache-control'), 'no-store')
    const csv = await own(shop, '?granularity=none&group_by=model', { accept: 'text/csv' })
    assert.deepEqual(parseCsv(await csv.text())[1]?.slice(0, 2), ['tinychat', '6'])
  })

  await t.test('who asks much at once leaves the database to others', async () => {
    const connection = await gateway.app.sql.reserve()
    await connection`begin`
    await connection`lock table usage_daily`
    const asked = Array.from({ length: 4 }, () => own(shop, '?granularity=none'))
    const refused = await Promise.race(asked)
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
    assert.match(await refused.text(), /3 such questions of this account/)
    await connection`rollback`
    connection.release()
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    assert.deepEqual(statuses.toSorted(), [200, 200, 200, 503])
    assert.equal((await own(shop)).status, 200)
  })

  await t.test('events are the requests, newest first', async () => {
    const { data } = await admin.get<ListOf<Row & { attempts: object[] }>>('GET', '/usage/events')
    assert.equal(data.length, 11)
    assert.deepEqual(pick(data, 'id').flat(), pick(data, 'id').flat().toSorted().toReversed())
    const [failed, embedding, byToken, odd, streamed] = data
    assert.deepEqual([failed?.['status'], failed?.['backend'], failed?.['cost']], ['error', null, '0'])
    assert.equal(failed?.attempts.length, 1)
    assert.deepEqual([embedding?.['endpoint'], embedding?.['output_tokens']], ['embeddings', 0])
    assert.deepEqual([byToken?.['key'], byToken?.['account']], [null, acme])
    assert.deepEqual([odd?.['model'], odd?.['price_version'], odd?.['cost']], [formula, null, '0'])
    assert.deepEqual([odd?.['unpriced'], streamed?.['unpriced']], [true, false])
    const metrics = await (await gateway.fetch(`${gateway.url}/metrics`)).text()
    assert.match(metrics, /^weir_ledger_unpriced_total 1$/m)
    assert.deepEqual([streamed?.['stream'], streamed?.['cost'], streamed?.['tier']], [true, '0.00049', 'premium'])
    assert.deepEqual([streamed?.['input_tokens'], streamed?.['output_tokens']], [16, 7])
    assert.match(String(streamed?.['request_id']), /^req_/)
    const events = async (query: string) => (await admin.get<ListOf<Row>>('GET', `/usage/events?${query}`)).data.length
    assert.equal(await events('account=acme'), 9)
    assert.equal(await events(`key=${idOf(desk)}`), 2)
    assert.equal(await events(`model=${encodeURIComponent(formula)}`), 1)
    assert.equal(await events('status=error'), 1)
    assert.equal(
      await events(`to=${data[3]?.['at']}`),
      data.filter(({ at }) => String(at) < String(data[3]?.['at'])).length,
    )
    assert.equal(await events('account=acme&status=error'), 0)
  })

  await t.test('a table that nobody computes', async () => {
    for (const path of ['usage?granularity=none&group_by=model', 'usage/events?status=ok']) {
      const headers = { authorization: `Bearer ${adminKey}`, accept: 'text/csv' }
      const answer = await gateway.fetch(`${gateway.url}/admin/${path}`, { headers })
      assert.equal(answer.headers.get('content-type'), 'text/csv; charset=utf-8; header=present')
      assert.equal(answer.headers.get('x-next-cursor'), null)
      const [names = [], ...rows] = parseCsv(await answer.text())
      const models = rows.map(row => row[names.indexOf('model')])
      assert.ok(models.includes(`'${formula}`) && models.includes('tinychat'), String(models))
      for (const row of rows) assert.equal(row.length, names.length)
    }
  })
})
