import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import postgres from 'postgres'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { onEnd } from '../../support/cleanup.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { startReceiver } from '../../support/webhook-receiver.ts'
import { dearAnswer, hookedYaml, webhookSecret } from '../../support/webhook-world.ts'
import { adminKey, pepper, sdk, untilReady } from './calls.ts'

const question = { model: 'tinychat', messages: [{ role: 'user' as const, content: 'hi' }] }
const withinMs = 30_000

async function prepare(t: TestContext) {
  const [receiver, backend] = [await startReceiver(t), await startScriptedBackend(t, dearAnswer)]
  const databaseUrl = await createDatabase(t)
  const folder = makeTempDir(t)
  const env = {
    DATABASE_URL: databaseUrl,
    WEIR_KEY_PEPPER: pepper,
    WEIR_ADMIN_KEY: adminKey,
    HOOK_SECRET: webhookSecret,
  }
  const hooks = { ops: { url: receiver.url, secret: { env: 'HOOK_SECRET' } } }
  const start = async (webhooks: object = hooks) => {
    const config = join(folder, 'weir.yaml')
    writeFileSync(config, hookedYaml(backend.url, webhooks))
    const gateway = await startGateway(t, { folder, env, flags: ['--config', config] })
    await untilReady(gateway.url)
    return gateway
  }
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined })
  onEnd(t, () => sql.end({ timeout: 1 }))
  return { receiver, start, sql }
}

/** A key of a new account that may spend what one answer costs. */
async function makeCaller(url: string, name: string): Promise<string> {
  const post = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
    const answer = await boundedFetch(`${url}/admin${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    assert.equal(answer.status, 201)
    return (await answer.json()) as { key: string }
  }
  await post('/accounts', { name, tier: 'none', limits: { spend_per_day: '0.01' } })
  return (await post('/keys', { account: name, name })).key
}

/** Of each account that has spent its limit, by the database, all three thresholds. */
async function expectedOf(sql: postgres.Sql): Promise<Set<string>> {
  const rows = await sql<{ name: string }[]>`
    select a.name from accounts a join usage_events e on e.account_id = a.id
    group by a.name having sum(e.cost_nano_usd) >= 10000000`
  return new Set(rows.flatMap(({ name }) => [50, 80, 100].map(percent => `${name} ${percent}`)))
}

test('killed again and again as usage is stored, none is told of twice and none is forgotten', async t => {
  const { receiver, start, sql } = await prepare(t)
  const toldBy = new Map<string, Set<string>>()
  const eventsStored = async () => (await sql<[{ n: number }]>`select count(*)::int as n from usage_events`)[0].n
  for (let cycle = 0; cycle < 6; cycle += 1) {
    const gateway = await start()
    const keys = await Promise.all(
      Array.from({ length: 5 }, (_, n) => makeCaller(gateway.url, `account ${cycle} ${n}`)),
    )
    const before = await eventsStored()
    const calls = keys.map(key =>
      sdk(gateway.url, key)
        .chat.completions.create(question)
        .catch(() => undefined),
    )
    // In the moment in which they are stored: nobody has looked, some have been put in, or are on their way.
    await eventually('events are stored', async () => (await eventsStored()) > before, { withinMs, everyMs: 1 })
    if (cycle % 2 === 1) await eventually('some are told', () => receiver.received.length > 0, { withinMs, everyMs: 1 })
    gateway.kill('SIGKILL')
    await Promise.all([gateway.exit, ...calls])
  }
  const last = await start()
  await eventually('all are stored', async () => (await expectedOf(sql)).size >= 6 * 3, { withinMs })
  const names = () => new Set(receiver.received.map(({ event }) => `${event.account.name} ${event.threshold_percent}`))
  // What was claimed in the moment of a kill comes after its lease.
  await eventually('all are told', async () => (await expectedOf(sql)).isSubsetOf(names()), { withinMs: 60_000 })
  last.kill('SIGTERM')
  await last.exit
  assert.deepEqual(names(), await expectedOf(sql))
  for (const { event } of receiver.received) {
    const name = `${event.account.name} ${event.threshold_percent}`
    toldBy.set(name, (toldBy.get(name) ?? new Set()).add(event.id))
  }
  // What was under way when it was killed comes again, as the same.
  for (const [name, ids] of toldBy) assert.equal(ids.size, 1, name)
  t.diagnostic(`${toldBy.size} told by ${receiver.received.length} deliveries`)
})

test('what was stored and never looked at is found at the start', async t => {
  const { receiver, start, sql } = await prepare(t)
  const blind = await start({})
  const key = await makeCaller(blind.url, 'acme')
  await sdk(blind.url, key).chat.completions.create(question)
  await eventually('it is stored', async () => (await expectedOf(sql)).size === 3, { withinMs })
  blind.kill('SIGKILL')
  await blind.exit
  await start()
  const received = await receiver.whenReceived(3, withinMs)
  assert.deepEqual(new Set(received.map(({ event }) => event.threshold_percent)), new Set([50, 80, 100]))
})

test('a receiver that never answers does not hold up the stop, and has all that is its after the next start', async t => {
  const { receiver, start, sql } = await prepare(t)
  receiver.answer = () => undefined
  const gateway = await start()
  const keys = await Promise.all(['acme', 'globex'].map(name => makeCaller(gateway.url, name)))
  for (const key of keys) await sdk(gateway.url, key).chat.completions.create(question)
  // Four are under way at once, so two more wait for their turn.
  await receiver.whenReceived(4, withinMs)
  await eventually('all six are in the outbox', async () => (await outbox(sql)).length === 6, { withinMs })
  gateway.kill('SIGTERM')
  // One that took longer than its bound would have been cut off, with another code.
  assert.equal((await gateway.exit).code, 0)
  assert.ok(!gateway.stdout.some(line => line.includes('stopping took too long')))
  const left = await outbox(sql)
  const counts = Map.groupBy(left, ({ state, tries, last_error }) => `${state} ${tries} ${last_error}`)
  const expected = { 'pending 0 null': 2, 'pending 1 stopped': 4 }
  assert.deepEqual(Object.fromEntries([...counts].map(([what, rows]) => [what, rows.length])), expected)

  const given = new Set(receiver.received.map(({ event }) => event.id))
  receiver.received.length = 0
  receiver.answer = 204
  await start()
  const received = await receiver.whenReceived(6, withinMs)
  const ids = new Set(received.map(({ event }) => event.id))
  assert.deepEqual(ids, new Set(left.map(({ id }) => id)))
  assert.ok(given.isSubsetOf(ids), 'what was broken off comes again as the same')
  const isDelivered = async () => (await outbox(sql)).every(({ state }) => state === 'delivered')
  await eventually('all are delivered', isDelivered, { withinMs })
})

interface OutboxRow {
  readonly id: string
  readonly state: string
  readonly tries: number
  readonly last_error: string | null
}

const outbox = (sql: postgres.Sql) => sql<OutboxRow[]>`select id, state, tries, last_error from webhook_deliveries`
