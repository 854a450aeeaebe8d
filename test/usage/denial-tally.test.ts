import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DenialCount } from '../../src/domain/denial-count.ts'
import type { Limit, LimitSet } from '../../src/domain/limit.ts'
import { DenialTally } from '../../src/usage/denial-tally.ts'

const setOf = (accountId: string, keyId: string | null = null, tier = 'free'): LimitSet => ({
  ...{ accountId, keyId, tier, limits: [], fingerprint: accountId },
})
const requests: Limit = {
  ...{ name: 'requests_per_minute', of: 'account', size: 1, kind: 'rate', unit: 'requests', capacity: 1 },
  periodMs: 60_000,
}
const flight: Limit = { name: 'requests_in_flight', of: 'key', size: 1, kind: 'flight', unit: 'requests' }
const minute = 60_000
const sumOf = (counts: Iterable<DenialCount>) => Array.from(counts).reduce((sum, { denials }) => sum + denials, 0)

test('one count for each minute, account, key, tier, limit and owner of it', async () => {
  const tally = new DenialTally(() => assert.fail('nothing is given up'))
  tally.note(setOf('a'), requests, 5 * minute + 1)
  tally.note(setOf('a'), requests, 6 * minute - 1)
  tally.note(setOf('a'), requests, 6 * minute)
  tally.note(setOf('a', 'k'), requests, 5 * minute)
  tally.note(setOf('a', 'k', 'gold'), requests, 5 * minute)
  tally.note(setOf('a', 'k'), flight, 5 * minute)
  tally.note(setOf('b'), requests, 5 * minute)
  const written: DenialCount[] = []
  await tally.write(async counts => void written.push(...counts), 4)
  assert.deepEqual(
    written.map(({ id: _, ...count }) => Object.values(count)),
    [
      [5 * minute, 'a', null, 'free', 'requests_per_minute', 'account', 2],
      [6 * minute, 'a', null, 'free', 'requests_per_minute', 'account', 1],
      [5 * minute, 'a', 'k', 'free', 'requests_per_minute', 'account', 1],
      [5 * minute, 'a', 'k', 'gold', 'requests_per_minute', 'account', 1],
      [5 * minute, 'a', 'k', 'free', 'requests_in_flight', 'key', 1],
      [5 * minute, 'b', null, 'free', 'requests_per_minute', 'account', 1],
    ],
  )
  assert.equal(new Set(written.map(({ id }) => id)).size, 6)
  assert.equal(tally.size, 0)
})

type Step =
  | { readonly kind: 'note'; readonly account: number; readonly minute: number; readonly times: number }
  /** `fate`: stored and told so, stored and the answer lost, or not stored; of each part, the last one for the rest. */
  | { readonly kind: 'write'; readonly fates: readonly ('stored' | 'answer lost' | 'away')[]; readonly during: number }

const steps = fc.array(
  fc.oneof(
    fc.record({
      ...{ kind: fc.constant('note' as const), account: fc.nat({ max: 5 }), minute: fc.nat({ max: 4 }) },
      times: fc.integer({ min: 1, max: 3 }),
    }),
    fc.record({
      kind: fc.constant('write' as const),
      fates: fc.array(fc.constantFrom('stored' as const, 'answer lost' as const, 'away' as const), { minLength: 1 }),
      during: fc.nat({ max: 3 }),
    }),
  ),
  { maxLength: 60, size: 'max' },
)

test('whatever becomes of writes, each denial is stored once or known to be missing, and no more than a few wait', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 3 }), async (taken: readonly Step[], atOnce) => {
      /** As the database: whoever writes an id again changes nothing. */
      const stored = new Map<string, number>()
      let noted = 0
      let dropped = 0
      const tally = new DenialTally(denials => {
        dropped += denials
      }, 8)
      const note = (account: number, at: number) => {
        noted += 1
        tally.note(setOf(`account ${account}`), requests, at * minute)
      }
      let lost = 0
      const write = async (fates: Step & { kind: 'write' }) => {
        const left = [...fates.fates]
        await tally
          .write(async counts => {
            const fate = left.length > 1 ? left.shift() : left[0]
            for (let n = 0; n < fates.during; n += 1) note(n, 9)
            if (fate === 'away') throw new Error('away')
            for (const { id, denials } of counts) {
              assert.equal(stored.get(id) ?? denials, denials)
              stored.set(id, denials)
            }
            if (fate === 'answer lost') {
              lost += sumOf(counts)
              throw new Error('answer lost')
            }
          }, atOnce)
          .catch(() => undefined)
      }
      for (const step of taken) {
        if (step.kind === 'write') await write(step)
        else for (let n = 0; n < step.times; n += 1) note(step.account, step.minute)
        assert.ok(tally.size <= 8)
      }
      await write({ kind: 'write', fates: ['stored'], during: 0 })
      assert.equal(tally.size, 0)
      const sum = stored.values().reduce((total, denials) => total + denials, 0)
      // What was given up after its answer was lost is stored all the same: never is one counted twice.
      assert.ok(sum + dropped >= noted && sum <= noted && sum + dropped - noted <= lost)
    }),
    { numRuns: 300 },
  )
})
