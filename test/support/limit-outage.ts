/** A gateway under constant load while its Redis is away, and what its callers notice of that. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from './eventually.ts'
import { type OpenLoop, percentile, sentBetween, startOpenLoop, windowedP99 } from './open-loop.ts'
import { goFirst } from './priority.ts'
import { limitLogs, type Replicas } from './replicas.ts'

export interface Outage {
  readonly begin: () => Promise<unknown>
  /** Settles when Redis can be used again. */
  readonly end: () => Promise<unknown>
}

const perSecond = 500
const beforeMs = 2500
const outageMs = 6000
const firstMs = 250
const maxUsualMs = 25
/** The rows' figures. */
const maxAddedMs = 10
const maxFirstAddedMs = 60
const maxRecoveryMs = 2000

/**
 * 500 requests a second, all within their limits: every one of them is served, they wait 60 ms longer in the first 250 ms
 * and 10 ms after that, and 2 s after the end Redis is counted in again. What they wait longer than is what they waited
 * before, in the same run.
 */
export async function assertUnnoticed(t: TestContext, world: Replicas, outage: Outage): Promise<void> {
  const { key } = await world.caller('plenty')
  const load = startOpenLoop(perSecond, () => world.ask(0, key))
  const { startedAt, awayAt, overAt, recoveryMs } = await live(load, world, outage).finally(() => load.stop())

  const { samples } = load
  const [first, before] = [sentBetween(samples, awayAt, awayAt + firstMs), sentBetween(samples, startedAt, awayAt)]
  const usualMs = windowedP99(load, startedAt, awayAt)
  const addedMs = windowedP99(load, awayAt + firstMs, overAt) - usualMs
  const firstAddedMs = percentile(first, 0.99) - percentile(before, 0.99)
  const figures = `p99 ${usualMs.toFixed(1)} ms, +${addedMs.toFixed(1)}; first +${firstAddedMs.toFixed(1)}; back in ${recoveryMs.toFixed(0)} ms`
  t.diagnostic(figures)
  const refused = samples.filter(({ status }) => status !== 200)
  assert.deepEqual(refused, [], `all ${samples.length} are served`)
  assert.ok(samples.length > ((beforeMs + outageMs) * perSecond * 0.9) / 1000, `${samples.length} were sent`)
  assert.ok(addedMs <= maxAddedMs, figures)
  assert.ok(firstAddedMs <= maxFirstAddedMs, figures)
  assert.ok(recoveryMs <= maxRecoveryMs, `${figures}\n${limitLogs(world)}`)
}

async function live(load: OpenLoop, world: Replicas, { begin, end }: Outage) {
  await world.becomes('together')
  goFirst(...world.gateways.map(({ pid }) => pid), process.pid)
  await untilCalm(load)
  // Measured anew: the moment that was found calm is calmer than usual.
  await sleep(beforeMs)
  const awayAt = performance.now()
  const startedAt = awayAt - beforeMs
  let overAt = 0
  try {
    await begin()
    // To ask for metrics takes a gateway some time, so not while a few milliseconds matter.
    await sleep(2 * firstMs)
    await world.becomes('alone', 1000)
    await sleep(awayAt + outageMs - performance.now())
  } finally {
    overAt = performance.now()
    await end()
  }
  const endedAt = performance.now()
  await world.becomes('together')
  const recoveryMs = performance.now() - endedAt
  await sleep(500)
  return { startedAt, awayAt, overAt, recoveryMs }
}

/** On a machine that cannot keep up, nobody can tell what an outage adds. */
async function untilCalm(load: OpenLoop): Promise<void> {
  await sleep(beforeMs)
  const isCalm = () => {
    // Those of the last moment are still under way; who is older and unanswered is missing here.
    const untilMs = performance.now() - maxUsualMs
    const answered = sentBetween(load.samples, untilMs - beforeMs, untilMs).length
    const isKeepingUp = answered >= (beforeMs * perSecond * 0.95) / 1000
    return isKeepingUp && windowedP99(load, untilMs - beforeMs, untilMs) <= maxUsualMs
  }
  await eventually(`a p99 of ${maxUsualMs} ms before the outage`, isCalm, { withinMs: 15_000, everyMs: 250 })
}
