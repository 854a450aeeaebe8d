/** A gateway under constant load while its PostgreSQL is away: what its callers notice of that, and what the ledger loses. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from './eventually.ts'
import type { LedgerWorld } from './ledger-world.ts'
import { type OpenLoop, sentBetween, startOpenLoop, windowedP99 } from './open-loop.ts'
import { goFirst } from './priority.ts'

export interface LedgerOutage {
  readonly outageMs: number
  readonly begin: () => unknown
  /** Settles when PostgreSQL can be used again. */
  readonly end: () => unknown
  /** Events that are stored a second, once PostgreSQL is back. */
  readonly leastReplayPerSecond: number
}

const perSecond = 500
const warmUpMs = 4000
const beforeMs = 6000
const maxUsualMs = 25
/** The rows' figures. */
const maxAddedMs = 5
const maxReplayMs = 300_000
const maxGrowthBytes = 16 * 1024 * 1024
/** The pool's, and what asks whether it is there. */
const maxConnections = 16

/** A collector that is not let wait, so that what a process takes is what it holds. */
export const tightMemory = ['--max-old-space-size=96', '--max-semi-space-size=4']

/** All are served in the same time as before, nothing is lost or there twice, and nothing grows but the folder. */
export async function assertKept(t: TestContext, world: LedgerWorld, outage: LedgerOutage): Promise<void> {
  const load = startOpenLoop(perSecond, () => world.embed())
  const seen = await live(load, world, outage).finally(() => load.stop())
  const usualMs = windowedP99(load, seen.awayAt - beforeMs, seen.awayAt)
  const addedMs = windowedP99(load, seen.awayAt, seen.overAt) - usualMs
  const replay = await replayed(world)
  const figures =
    `p99 ${usualMs.toFixed(1)} ms, +${addedMs.toFixed(1)}; ${seen.waiting} waited; memory +${mebibytes(seen.grownBytes)} MiB; ` +
    `${seen.connections} connections; stored at ${replay.perSecond.toFixed(0)}/s, all after ${(replay.tookMs / 1000).toFixed(1)} s`
  t.diagnostic(figures)
  await world.assertAllStored()
  assert.deepEqual(
    load.samples.filter(({ status }) => status !== 200),
    [],
    `all ${load.samples.length} are served`,
  )
  const sent = sentBetween(load.samples, seen.awayAt, seen.overAt).length
  assert.ok(sent > (outage.outageMs * perSecond * 0.9) / 1000, `${sent} were sent meanwhile`)
  assert.ok(seen.waiting >= sent * 0.8, `${seen.waiting} of ${sent} waited: the outage was one`)
  assert.ok(addedMs <= maxAddedMs, figures)
  assert.ok(seen.grownBytes <= maxGrowthBytes, figures)
  assert.ok(seen.connections <= maxConnections, figures)
  assert.ok(replay.tookMs <= maxReplayMs && replay.perSecond >= outage.leastReplayPerSecond, figures)
  assert.equal(await world.metric('weir_ledger_quarantined_total'), 0)
  assert.equal(await world.metric('weir_ledger_lost_total'), 0)
}

async function live(load: OpenLoop, world: LedgerWorld, { outageMs, begin, end }: LedgerOutage) {
  goFirst(world.gateway.pid, process.pid)
  await untilCalm(load)
  // Measured anew: the moment that was found calm is calmer than usual.
  await sleep(beforeMs)
  const { pid } = world.gateway
  const bytes = residentBytes(pid)
  let [grownBytes, connections] = [0, 0]
  const awayAt = performance.now()
  await begin()
  while (performance.now() < awayAt + outageMs) {
    await sleep(500)
    grownBytes = Math.max(grownBytes, residentBytes(pid) - bytes)
    connections = Math.max(connections, connectionsTo(world.postgres.port))
  }
  const overAt = performance.now()
  const waiting = await world.metric('weir_ledger_waiting')
  await end()
  return { awayAt, overAt, grownBytes, connections, waiting }
}

/** How fast it gets in once the first has: when that is, is up to how long a try was to be waited for. */
async function replayed(world: LedgerWorld): Promise<{ readonly perSecond: number; readonly tookMs: number }> {
  const startMs = performance.now()
  const waiting = () => world.metric('weir_ledger_waiting')
  const first = await waiting()
  let [begun, begunMs] = [first, startMs]
  await eventually(
    'nothing waits',
    async () => {
      const now = await waiting()
      if (begun === first && now === first) begunMs = performance.now()
      begun = Math.min(begun, now)
      return now === 0
    },
    { withinMs: maxReplayMs, everyMs: 50 },
  )
  const endMs = performance.now()
  return { perSecond: first / ((endMs - begunMs) / 1000), tookMs: endMs - startMs }
}

/** On a machine that cannot keep up, nobody can tell what an outage adds. */
async function untilCalm(load: OpenLoop): Promise<void> {
  await sleep(warmUpMs + beforeMs)
  const isCalm = () => {
    const untilMs = performance.now() - maxUsualMs
    const answered = sentBetween(load.samples, untilMs - beforeMs, untilMs).length
    const isKeepingUp = answered >= (beforeMs * perSecond * 0.95) / 1000
    return isKeepingUp && windowedP99(load, untilMs - beforeMs, untilMs) <= maxUsualMs
  }
  await eventually(`a p99 of ${maxUsualMs} ms before the outage`, isCalm, { withinMs: 20_000, everyMs: 250 })
}

function residentBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return pages * 4096
}

/** Open or being opened: each has one statement under way at most. */
function connectionsTo(port: number): number {
  const target = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1)
  return rows.filter(row => {
    const [, , remote = '', state = ''] = row.trim().split(/\s+/)
    return remote.endsWith(target) && ['01', '02'].includes(state)
  }).length
}

const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1)
