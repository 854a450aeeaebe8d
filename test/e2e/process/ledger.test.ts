import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import postgres from 'postgres'
import { ledgerCommand } from '../../../src/commands/ledger.ts'
import { onEnd } from '../../support/cleanup.ts'
import { runnerOf } from '../../support/commands.ts'
import { chat } from '../../support/completion.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { runGateway, startGateway } from '../../support/gateway-process.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, pepper, sdk, untilReady } from './calls.ts'

const question = { model: 'tinychat', messages: [{ role: 'user' as const, content: 'hi' }] }
/** What the scripted backend says of each answer. */
const [inputTokens, outputTokens] = [16, 7]

async function prepare(t: TestContext) {
  const backend = await startScriptedBackend(t, llamaServer({ chat: chat({ tokens: outputTokens, everyMs: 2 }) }))
  const databaseUrl = await createDatabase(t)
  const env = {
    DATABASE_URL: databaseUrl,
    WEIR_KEY_PEPPER: pepper,
    WEIR_ADMIN_KEY: adminKey,
    WEIR_BACKEND_URL: backend.url,
  }
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined })
  onEnd(t, () => sql.end({ timeout: 1 }))
  return { env, sql }
}

test('P01 killed and started again under load, no request is lost and none is there twice', async t => {
  const cycles = 25
  const { env, sql } = await prepare(t)
  const folder = makeTempDir(t)
  const answered: string[] = []
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    const gateway = await startGateway(t, { folder, env })
    await untilReady(gateway.url)
    const chats = sdk(gateway.url, adminKey).chat.completions
    let isUp = true
    const before = answered.length
    const call = async () => {
      const { response } = await chats.create(question).withResponse()
      answered.push(response.headers.get('x-request-id') ?? '')
    }
    const callers = Array.from({ length: 8 }, async () => {
      // The one that is under way when the gateway is killed fails.
      while (isUp) await call().catch(() => undefined)
    })
    await eventually('calls are answered', () => answered.length >= before + 20, { withinMs: 20_000 })
    gateway.kill('SIGKILL')
    await gateway.exit
    isUp = false
    await Promise.all(callers)
  }
  const last = await startGateway(t, { folder, env })
  await untilReady(last.url)
  const rows = () => sql<{ request_id: string; status: string; input_tokens: string; output_tokens: string }[]>`
    select request_id, status, input_tokens, output_tokens from usage_events`
  await eventually(
    'all are stored',
    async () => {
      const stored = new Set((await rows()).map(({ request_id }) => request_id))
      return answered.every(id => stored.has(id))
    },
    { withinMs: 30_000, everyMs: 200 },
  )
  last.kill('SIGTERM')
  await last.exit

  const events = await rows()
  const byRequest = Map.groupBy(events, ({ request_id }) => request_id)
  assert.equal(byRequest.size, events.length, 'one event a request')
  for (const id of answered) {
    const [event] = byRequest.get(id) ?? []
    // A caller may have its answer a moment before the event is on the disk: then it is unknown, and there all the same.
    assert.ok(event !== undefined && (event.status === 'ok' || event.status === 'unknown'), id)
    if (event.status === 'ok') {
      assert.deepEqual([Number(event.input_tokens), Number(event.output_tokens)], [inputTokens, outputTokens])
    }
  }
  const ok = events.filter(({ status }) => status === 'ok').length
  t.diagnostic(`${answered.length} answered, ${events.length} events, ${ok} of them ok`)
  // Eight at a time can be under way when it is killed, and as many may have had no event yet.
  assert.ok(ok >= answered.length - cycles * 8)
  assert.ok(events.length <= answered.length + cycles * 8)
  const [sums] = await sql<{ requests: string; output: string }[]>`
    select sum(requests) as requests, sum(output_tokens) as output from usage_hourly`
  assert.deepEqual([Number(sums?.requests), Number(sums?.output)], [events.length, ok * outputTokens])
})

test('P09 two gateways cannot keep their usage in one folder', async t => {
  const { env } = await prepare(t)
  const folder = makeTempDir(t)
  const first = await startGateway(t, { folder, env })
  const second = await runGateway(t, { folder, env })
  assert.notEqual(second.code, 0)
  assert.match(second.output, /ledger is in use by another Weir/)
  first.kill('SIGKILL')
  await first.exit
  const third = await startGateway(t, { folder, env })
  await untilReady(third.url)
})

test('what a database that is away has not taken is looked at, checked and stored by the command', async t => {
  const { env, sql } = await prepare(t)
  const folder = makeTempDir(t)
  const gateway = await startGateway(t, { folder, env })
  await untilReady(gateway.url)
  await sdk(gateway.url, adminKey).chat.completions.create(question)
  const stored = async () => (await sql<{ count: number }[]>`select count(*)::int as count from usage_events`)[0]?.count
  await eventually('the first is stored', async () => (await stored()) === 1)
  await sql`alter table usage_events rename to usage_events_away`
  for (let n = 0; n < 3; n += 1) await sdk(gateway.url, adminKey).chat.completions.create(question)
  const run = runnerOf(ledgerCommand)
  const ledger = (verb: string) => run(env, verb, '--json', '--data-dir', join(folder, '.weir'))
  const waiting = async () => JSON.parse((await ledger('status')).stdout).waiting as number
  await eventually('three wait', async () => (await waiting()) === 3)
  const verified = await ledger('verify')
  assert.deepEqual([verified.code, JSON.parse(verified.stdout).ok], [0, true])
  const busy = await ledger('replay')
  assert.equal(busy.code, 1)
  assert.match(busy.stderr, /in use by another Weir/)

  gateway.kill('SIGKILL')
  await gateway.exit
  await sql`alter table usage_events_away rename to usage_events`
  const replayed = await ledger('replay')
  assert.deepEqual([replayed.code, JSON.parse(replayed.stdout)], [0, { stored: 3, quarantined: 0, left: 0 }])
  assert.equal(await stored(), 4)
  assert.equal(await waiting(), 0)
})
