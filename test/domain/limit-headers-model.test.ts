import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Limit, LimitSet } from '../../src/domain/limit.ts'
import { explainDenial, findBinding } from '../../src/domain/limit-denial.ts'
import { buildLimitHeaders } from '../../src/domain/limit-headers.ts'
import type { Reservation, Verdict } from '../../src/domain/reservation.ts'
import { MemoryLimits } from '../../src/embedded/limits.ts'
import { limitSet, rateLimit } from '../support/limit-sets.ts'
import { seeded } from '../support/seeded-store.ts'

const startUs = Date.UTC(2026, 10, 24, 12) * 1000
const sizes = fc.integer({ min: 1, max: 10_000 })

/** One rate in requests and one in tokens, each with or without a burst. */
const limitSets: fc.Arbitrary<LimitSet> = fc
  .record({
    requests: sizes,
    tokens: sizes,
    bursts: fc.tuple(fc.option(sizes), fc.option(sizes)),
    isDaily: fc.boolean(),
  })
  .map(({ requests, tokens, bursts, isDaily }) => {
    const periodMs = isDaily ? 86_400_000 : 60_000
    const limits: readonly Limit[] = [
      rateLimit(requests, { name: 'requests_per_minute', unit: 'requests', capacity: bursts[0] ?? requests, periodMs }),
      rateLimit(tokens, { capacity: bursts[1] ?? tokens, periodMs }),
    ]
    return limitSet(limits)
  })

type Step =
  | { do: 'reserve'; share: number; waits: boolean }
  | { do: 'settle'; which: number; percent: number }
  | { do: 'wait'; us: number }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    // A part of the capacity, in thousandths; somewhat more than it now and then.
    fc.record({
      do: fc.constant('reserve' as const),
      share: fc.integer({ min: 0, max: 1010 }),
      waits: fc.boolean(),
    }),
    fc.record({ do: fc.constant('settle' as const), which: fc.nat(9), percent: fc.integer({ min: 0, max: 150 }) }),
    fc.record({ do: fc.constant('wait' as const), us: fc.integer({ min: 0, max: 30_000_000 }) }),
  ),
  { maxLength: 30, size: 'max' },
)

/** What the headers of one answer say, as a caller reads them. */
function read(set: LimitSet, { states }: Verdict) {
  const headers = buildLimitHeaders(set, states)
  const numberOf = (name: string) => {
    const text = headers[name] ?? ''
    assert.match(text, /^\d+$/, `${name}: ${text}`)
    return Number(text)
  }
  return (['requests', 'tokens'] as const).map(unit => ({
    limit: numberOf(`x-ratelimit-limit-${unit}`),
    remaining: numberOf(`x-ratelimit-remaining-${unit}`),
  }))
}

/** What a denied caller is told to wait, in milliseconds; null where no wait would help. */
function toldWaitMs(set: LimitSet, { states }: Verdict, amounts: readonly number[]): number | null {
  const { retryAfterMs, shouldRetry } = explainDenial({ set, states, amounts, tierSizes: {}, isLocal: false })
  assert.ok(Number.isInteger(retryAfterMs) && retryAfterMs > 0, String(retryAfterMs))
  return shouldRetry === false ? null : retryAfterMs
}

test('the headers tell of what is left what there is, and a wait that is long enough and hardly longer', () => {
  const isSmall = (amounts: readonly number[], set: LimitSet) =>
    set.limits.every((limit, index) => limit.kind === 'rate' && (amounts[index] ?? 0) <= limit.capacity)
  fc.assert(
    fc.property(limitSets, steps, (set, schedule) => {
      let nowUs = startUs
      let ids = 0
      const store = seeded(new MemoryLimits({ nowUs: () => nowUs }))
      const open: Reservation[] = []
      let last: { atUs: number; remaining: readonly number[] } | null = null
      const reserve = (amounts: readonly number[]): Verdict => {
        ids += 1
        const verdict = store.reserve(`request-${ids}`, set, amounts)
        const said = read(set, verdict)
        const remaining = said.map(one => one.remaining)
        for (const { limit, remaining: left } of said) assert.ok(left >= 0 && left <= limit, `${left} of ${limit}`)
        const taken = verdict.kind === 'admitted' ? amounts : [0, 0]
        // With no time and no settlement in between it is less by exactly what was reserved.
        if (last?.atUs === nowUs)
          assert.deepEqual(
            remaining,
            last.remaining.map((left, index) => left - (taken[index] ?? 0)),
          )
        last = { atUs: nowUs, remaining }
        if (verdict.kind === 'admitted') open.push(verdict.reservation)
        return verdict
      }
      for (const step of schedule) {
        if (step.do === 'wait') nowUs += step.us
        if (step.do === 'settle') {
          const [one] = open.splice(step.which % Math.max(1, open.length), 1)
          if (one !== undefined) {
            store.settle(
              one,
              one.held.map(held => Math.round((held * step.percent) / 100)),
            )
            last = null
          }
        }
        if (step.do !== 'reserve') continue
        const amounts = set.limits.map((limit, index) =>
          index === 0 ? 1 : limit.kind === 'rate' ? Math.floor((limit.capacity * step.share) / 1000) : 0,
        )
        const verdict = reserve(amounts)
        if (verdict.kind === 'admitted') continue
        const waitMs = toldWaitMs(set, verdict, amounts)
        assert.equal(waitMs === null, !isSmall(amounts, set))
        if (waitMs === null || !step.waits) continue
        assert.notEqual(findBinding(set.limits, verdict.states), -1)
        // One for rounding up, and one since a timer may end early.
        nowUs += (waitMs - 2) * 1000
        if (waitMs > 2) assert.equal(reserve(amounts).kind, 'denied', `${waitMs} ms were longer than needed`)
        nowUs += 2 * 1000
        assert.equal(reserve(amounts).kind, 'admitted', `${waitMs} ms were not enough`)
      }
    }),
    { numRuns: 400 },
  )
})
