import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'
import { inspectLedger } from '../../../src/ledger/inspect-ledger.ts'
import { onEnd } from '../../support/cleanup.ts'
import { chat } from '../../support/completion.ts'
import { llamaServer } from '../../support/engines.ts'
import { type GatewayProcess, startGateway } from '../../support/gateway-process.ts'
import { startPostgres } from '../../support/postgres-server.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { adminKey, openStream, pepper, untilReady } from './calls.ts'

/** What tells two wishes from one is the time between them. */
const betweenMs = 1200
const streams = 20

async function start(t: TestContext, databaseUrl: string) {
  const backend = await startScriptedBackend(
    t,
    llamaServer({ chat: chat({ tokens: 600, everyMs: 100 }), slots: streams }),
  )
  const stores = { DATABASE_URL: databaseUrl, WEIR_KEY_PEPPER: pepper }
  const env = { ...stores, WEIR_ADMIN_KEY: adminKey, WEIR_BACKEND_URL: backend.url, MIN_DRAIN: '5s' }
  const gateway = await startGateway(t, { env })
  await untilReady(gateway.url)
  const open = await Promise.all(Array.from({ length: streams }, () => openStream(gateway.url, adminKey)))
  return { gateway, texts: open.map(stream => stream.text()) }
}

async function stopTwice(gateway: GatewayProcess, second: NodeJS.Signals) {
  gateway.kill('SIGTERM')
  await delay(betweenMs)
  const sinceMs = performance.now()
  gateway.kill(second)
  const { code } = await gateway.exit
  return { code, tookMs: performance.now() - sinceMs }
}

const endsOf = async (texts: readonly Promise<string>[]) =>
  (await Promise.all(texts)).map(text => {
    const last = text.trimEnd().split('\n\n').at(-1) ?? ''
    return JSON.parse(last.replace(/^data: /, '')).error?.code
  })

test('G06 a second SIGTERM ends what runs with its error event, and all that was used is in the database', async t => {
  const databaseUrl = await createDatabase(t)
  const { gateway, texts } = await start(t, databaseUrl)
  const ends = endsOf(texts)
  const { code, tookMs } = await stopTwice(gateway, 'SIGTERM')
  assert.equal(code, 0)
  assert.ok(tookMs < 2000, `the exit took ${tookMs} ms`)
  assert.deepEqual(new Set(await ends), new Set(['server_shutdown']))
  const sql = postgres(databaseUrl, { max: 1 })
  onEnd(t, () => sql.end())
  const rows =
    await sql`select status, error, output_tokens > 0 as had_some, count(*)::int as n from usage_events group by 1, 2, 3`
  assert.deepEqual([...rows], [{ status: 'partial', error: 'shutdown', had_some: true, n: streams }])
  t.diagnostic(`from the second signal to the exit: ${Math.round(tookMs)} ms`)
})

test('G06 where the database is silent a second signal, of another kind, keeps what was used on the disk', async t => {
  const server = await startPostgres(t)
  const { gateway, texts } = await start(t, server.url)
  server.freeze()
  const ends = endsOf(texts)
  const { code, tookMs } = await stopTwice(gateway, 'SIGINT')
  server.thaw()
  assert.equal(code, 0)
  assert.ok(tookMs < 5000, `the exit took ${tookMs} ms`)
  assert.deepEqual(new Set(await ends), new Set(['server_shutdown']))
  const { waiting, open } = await inspectLedger(join(gateway.folder, '.weir', 'ledger'))
  assert.deepEqual({ waiting, open }, { waiting: streams, open: 0 })
  t.diagnostic(`from the second signal to the exit: ${Math.round(tookMs)} ms`)
})
