import assert from 'node:assert/strict'
import { createCipheriv, hash } from 'node:crypto'
import { test } from 'node:test'
import { type ArmReport, reportArms, type Verdict } from '../../src/domain/arm-report.ts'
import {
  type ArmCall,
  type ArmTally,
  effectiveParticipants,
  emptyTally,
  tallyCall,
} from '../../src/domain/arm-tally.ts'

/** Numbers from 0 to 1 that are the same in every run: a cipher's stream, which is as good as chance. */
function random(seed: number): () => number {
  const key = hash('md5', String(seed), 'buffer')
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  let block = Buffer.alloc(0)
  let at = 0
  return () => {
    if (at >= block.length) [block, at] = [cipher.update(Buffer.alloc(65_536)), 0]
    at += 4
    return block.readUInt32LE(at - 4) / 2 ** 32
  }
}

interface World {
  readonly requests: number
  readonly errorRate: number
  /** Of the time to the first token; half of all take longer. */
  readonly medianMs: number
}

/** Log-normal times with a long tail, as those of queues are. */
function simulate(next: () => number, { requests, errorRate, medianMs }: World): ArmTally {
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  const tally = emptyTally()
  for (let index = 0; index < requests; index++) {
    tallyCall(tally, {
      participant: index,
      hasFailed: next() < errorRate,
      firstTokenMs: medianMs * Math.exp(normal()),
      interTokenMs: 20 * Math.exp(normal() / 4),
      usage: { inputTokens: 10, cachedInputTokens: 0, outputTokens: 5, reasoningTokens: null },
    })
  }
  return tally
}

const compare = (...tallies: readonly ArmTally[]) =>
  reportArms(tallies.map((tally, index) => ({ name: `arm-${index}`, tally })))
const verdictsOf = (report: ArmReport | undefined) => Object.values(report?.verdicts ?? {}) as readonly Verdict[]
const usual: World = { requests: 400, errorRate: 0.05, medianMs: 200 }
/** Of a normal distribution at 0.95. */
const p95Deviations = 1.6448536269514722

test('95 % intervals hold the truth in 93 % of all runs and more', () => {
  const truth = {
    errorRate: 0.05,
    firstTokenP50: 200,
    firstTokenP95: 200 * Math.exp(p95Deviations),
    interTokenP50: 20,
    interTokenP95: 20 * Math.exp(p95Deviations / 4),
  }
  const held = new Map<string, number>()
  const runs = 1000
  for (let run = 0; run < runs; run++) {
    const [report] = compare(simulate(random(run), usual))
    for (const [name, value] of Object.entries(truth)) {
      const { low, high } = report?.figures[name as keyof typeof truth] ?? { low: null, high: null }
      if (low !== null && high !== null && low <= value && value <= high) held.set(name, (held.get(name) ?? 0) + 1)
    }
  }
  for (const name of Object.keys(truth)) assert.ok((held.get(name) ?? 0) >= 0.93 * runs, `${name}: ${held.get(name)}`)
})

test('of arms that are the same one is called better or worse in 5 % of all runs at most', () => {
  for (const arms of [2, 4]) {
    const runs = 400
    let called = 0
    for (let run = 0; run < runs; run++) {
      const next = random(run + arms * 10_000)
      const reports = compare(...Array.from({ length: arms }, () => simulate(next, usual)))
      const verdicts = reports.slice(1).flatMap(verdictsOf)
      assert.ok(!verdicts.includes('too_few'))
      if (verdicts.some(verdict => verdict !== 'no_difference_shown')) called += 1
    }
    assert.ok(called <= 0.05 * runs, `${called} of ${runs} with ${arms} arms`)
  }
})

test('what is worse or better is called so, in that figure alone', () => {
  const next = random(7)
  const many = { ...usual, requests: 3000 }
  const control = simulate(next, many)
  const plain = {
    errorRate: 'no_difference_shown',
    firstTokenP50: 'no_difference_shown',
    firstTokenP95: 'no_difference_shown',
    interTokenP50: 'no_difference_shown',
    interTokenP95: 'no_difference_shown',
  }
  const [first, failing, slow, fast] = compare(
    control,
    simulate(next, { ...many, errorRate: 0.12 }),
    simulate(next, { ...many, medianMs: 300 }),
    simulate(next, { ...many, medianMs: 130 }),
  )
  assert.equal(first?.verdicts, null)
  assert.deepEqual(failing?.verdicts, { ...plain, errorRate: 'worse' })
  assert.deepEqual(slow?.verdicts, { ...plain, firstTokenP50: 'worse', firstTokenP95: 'worse' })
  assert.deepEqual(fast?.verdicts, { ...plain, firstTokenP50: 'better', firstTokenP95: 'better' })
})

const call = (changes: Partial<ArmCall> = {}): ArmCall => ({
  participant: 1,
  hasFailed: false,
  firstTokenMs: 100,
  interTokenMs: 10,
  usage: null,
  ...changes,
})

test('few requests, and many of few participants, are too few', () => {
  const next = random(8)
  const enough = simulate(next, usual)
  const few = simulate(next, { ...usual, requests: 99, errorRate: 1 })
  assert.deepEqual(new Set(verdictsOf(compare(enough, few)[1])), new Set(['too_few']))
  // A hundred callers, but one of them sends nearly all.
  const lopsided = emptyTally()
  for (let index = 0; index < 10_000; index++) {
    tallyCall(lopsided, call({ participant: index < 100 ? index : 0, hasFailed: true, firstTokenMs: 9000 }))
  }
  assert.ok(effectiveParticipants(lopsided) < 2)
  for (const arms of [
    [enough, lopsided],
    [lopsided, enough],
  ] as const) {
    assert.deepEqual(new Set(verdictsOf(compare(...arms)[1])), new Set(['too_few']))
  }
})

test('a figure that nothing is known of is null; one of few values has no bounds', () => {
  assert.deepEqual(compare(emptyTally())[0]?.figures, {
    errorRate: null,
    firstTokenP50: null,
    firstTokenP95: null,
    interTokenP50: null,
    interTokenP95: null,
  })
  const tally = emptyTally()
  tallyCall(tally, call({ interTokenMs: null }))
  const [report] = compare(tally)
  assert.equal(report?.figures.interTokenP50, null)
  const { value, ...bounds } = report?.figures.firstTokenP50 ?? { value: 0 }
  assert.ok(Math.abs(value - 100) < 0.51)
  assert.deepEqual(bounds, { low: null, high: null })
})

test('participants are counted up to a bound', () => {
  const tally = emptyTally()
  for (let index = 0; index < 10_000; index++) tallyCall(tally, call({ participant: index }))
  assert.equal(tally.participants.size, 2000)
  assert.equal(effectiveParticipants(tally), 2000)
  tallyCall(tally, call({ participant: 0 }))
  assert.equal(tally.participants.get(0), 2)
  assert.equal(tally.requests, 10_001)
})
