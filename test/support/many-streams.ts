/** A server that is stopped while it has many streams: row G01 of the matrix, with whatever number. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'
import { adminKey, health, openStream, pepper, untilReady } from '../e2e/process/calls.ts'
import { onEnd } from './cleanup.ts'
import { chat } from './completion.ts'
import { llamaServer } from './engines.ts'
import { startGateway } from './gateway-process.ts'
import { startScriptedBackend } from './scripted-backend.ts'
import { createDatabase } from './services.ts'

/** A third each ends before the minimum drain is over, afterwards, and never. */
const lengths = [6, 15, 60]
/** How many connections a client opens at once. */
const openedAtOnce = 50
const graceMs = 30_000
const errorsFromMs = 20_000
const drainMs = 5000

type Ending = 'done' | 'server_shutdown' | 'silent cut'

export async function stopWithStreams(t: TestContext, count: number): Promise<void> {
  let asked = 0
  const backend = await startScriptedBackend(
    t,
    llamaServer({
      slots: count + 100,
      chat: exchange => chat({ tokens: lengths[asked++ % lengths.length] ?? 1, everyMs: 1000 })(exchange),
    }),
  )
  const databaseUrl = await createDatabase(t)
  const stores = { DATABASE_URL: databaseUrl, WEIR_KEY_PEPPER: pepper }
  const env = { ...stores, WEIR_ADMIN_KEY: adminKey, WEIR_BACKEND_URL: backend.url, MIN_DRAIN: `${drainMs}ms` }
  const gateway = await startGateway(t, { env })
  await untilReady(gateway.url)
  const endings: Promise<Ending>[] = []
  while (endings.length < count) {
    const some = Array.from({ length: Math.min(openedAtOnce, count - endings.length) }, () =>
      openStream(gateway.url, adminKey),
    )
    endings.push(...(await Promise.all(some)).map(stream => stream.text().then(endingOf)))
  }

  const sinceMs = performance.now()
  gateway.kill('SIGTERM')
  const [notReadyMs, later] = await Promise.all([untilNotReady(gateway.url, sinceMs), serveOn(gateway.url, sinceMs)])
  assert.ok(notReadyMs <= 100, `not ready after ${notReadyMs} ms`)
  assert.ok(later.lastMs > drainMs - 500 && later.lastMs < drainMs + 500, `new ones were served for ${later.lastMs} ms`)
  assert.deepEqual(new Set(later.endings), new Set(['done']))

  const ended = await Promise.all(endings)
  const numberOf = (ending: Ending) => ended.filter(one => one === ending).length
  assert.equal(numberOf('silent cut'), 0)
  assert.ok(numberOf('done') >= Math.floor((count * 2) / 3), `${numberOf('done')} were finished`)
  assert.equal(numberOf('done') + numberOf('server_shutdown'), count)
  const { code } = await gateway.exit
  const tookMs = performance.now() - sinceMs
  assert.equal(code, 0)
  assert.ok(tookMs > errorsFromMs && tookMs <= graceMs, `the exit took ${tookMs} ms`)

  const sql = postgres(databaseUrl, { max: 1 })
  onEnd(t, () => sql.end())
  const [rows] = await sql`
    select count(distinct request_id)::int as requests, count(*)::int as events,
           count(*) filter (where status = 'ok')::int as ok, count(*) filter (where error = 'shutdown')::int as shutdown
    from usage_events`
  const requests = count + later.endings.length
  const ok = numberOf('done') + later.endings.length
  assert.deepEqual(rows, { requests, events: requests, ok, shutdown: numberOf('server_shutdown') })
  t.diagnostic(
    `${count} streams: not ready after ${Math.round(notReadyMs)} ms, ${later.endings.length} new ones served for ` +
      `${Math.round(later.lastMs)} ms, ${numberOf('done')} finished, ${numberOf('server_shutdown')} told, exit after ${Math.round(tookMs)} ms`,
  )
}

function endingOf(text: string): Ending {
  if (text.endsWith('data: [DONE]\n\n')) return 'done'
  const last = text.trimEnd().split('\n\n').at(-1) ?? ''
  const isTold = /^data: \{"error":\{.*"server_shutdown"/.test(last)
  return isTold ? 'server_shutdown' : 'silent cut'
}

async function untilNotReady(url: string, sinceMs: number): Promise<number> {
  while ((await health(url)).code === 200);
  return performance.now() - sinceMs
}

/** New requests until one finds no server: when the last that was served was begun, and how all of them ended. */
async function serveOn(url: string, sinceMs: number) {
  const endings: Promise<Ending>[] = []
  for (let lastMs = 0; ; await delay(100)) {
    const beganMs = performance.now() - sinceMs
    const stream = await openStream(url, adminKey, { max_tokens: 1 }).catch(() => null)
    if (stream === null) return { lastMs, endings: await Promise.all(endings) }
    endings.push(stream.text().then(endingOf))
    lastMs = beganMs
  }
}
