import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Amounts, LimitSet } from '../../src/domain/limit.ts'
import { uncountedAmounts, uncountedOf } from '../../src/domain/uncounted.ts'
import type { Limiter } from '../../src/limits/limiter.ts'
import { LoneLimiter } from '../../src/limits/lone-limiter.ts'
import { UncountedRequests } from '../../src/limits/uncounted-requests.ts'
import { UncountedUse } from '../../src/limits/uncounted-use.ts'
import { eventually } from '../support/eventually.ts'
import { KeptUse } from '../support/kept-use.ts'
import { newId } from '../support/limit-conformance.ts'
import { limitSet, quota, rate } from '../support/limit-sets.ts'
import { startSharedWorld } from '../support/shared-limiter.ts'

const tokens = (amount: number): Amounts => ({ requests: 1, tokens: amount, nanoUsd: 0 })

/** What a request under these limits has used of what they do not count; the ledger has it at once. */
function useUncounted(limiter: Limiter, kept: KeptUse, set: LimitSet, amount: number): void {
  const nowUs = Date.now() * 1000
  const id = newId()
  limiter.uncounted.begin(id, set)
  limiter.uncounted.end(id, set, { used: tokens(amount), startedUs: nowUs })
  const uncounted = uncountedOf(set)
  kept.keep(id, uncounted, uncountedAmounts(uncounted, tokens(amount), { startedUs: nowUs, nowUs }))
}

/** One account, with a quota and without one. */
function twoTiers() {
  const limited = limitSet([quota({ size: 1000 }), quota({ size: 500, of: 'key' })], { keyId: 'k' })
  const open = limitSet([rate()], { accountId: limited.accountId, keyId: 'k' })
  return { limited, open }
}

test('what is used without a limit is told before the next who has it asks, in Redis', async t => {
  const { makeLimiter, kept } = await startSharedWorld(t)
  const one = await makeLimiter()
  const { limited, open } = twoTiers()
  await one.admit(limited, [10, 10])
  for (let times = 1; times <= 3; times += 1) {
    useUncounted(one.limiter, kept, open, 20)
    const { states } = await one.admit(limited, [1, 1])
    equal(states[0]?.used, 10 + 21 * times)
    equal(states[1]?.used, 10 + 21 * times)
  }
})

test('nor does it count twice where the limit is given afterwards', async t => {
  const { makeLimiter, kept } = await startSharedWorld(t)
  const one = await makeLimiter()
  const { limited, open } = twoTiers()
  for (let times = 0; times < 3; times += 1) useUncounted(one.limiter, kept, open, 20)
  deepEqual(
    (await one.admit(limited, [1, 1])).states.map(({ used }) => used),
    [61, 61],
  )
})

test('while Redis is away it is kept, and told when that is back', async t => {
  const { makeLimiter, kept, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const { limited, open } = twoTiers()
  await one.admit(limited, [10, 10])
  await one.cut()
  useUncounted(one.limiter, kept, open, 20)
  useUncounted(one.limiter, kept, open, 5)
  await one.heal()
  await becomesUsed(limited, [35, 35])
})

test('counts that are broken keep nobody else from being told', async t => {
  const { makeLimiter, kept, direct, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const [broken, well] = [twoTiers(), twoTiers()]
  for (const { limited } of [broken, well]) await one.admit(limited, [10, 10])
  const [name = ''] = await direct.keys(`weir:{${broken.limited.accountId}}:limit:tokens_per_month:*`)
  await direct.set(name, 'not a count')
  for (const { open } of [broken, well]) useUncounted(one.limiter, kept, open, 20)
  await becomesUsed(well.limited, [30, 30])
  ok(!one.limiter.isLocal)
})

test('however an account is moved between tiers, its counts are what it used, in Redis and in the process', async t => {
  const shared = await startSharedWorld(t)
  const watched = await Promise.all([shared.makeLimiter(), shared.makeLimiter()])
  const lone = new LoneLimiter({ onTrouble: reason => ok(false, reason) })
  const loneKept = new KeptUse()
  lone.seedFrom(loneKept)
  const step = fc.record({ by: fc.nat(1), isLimited: fc.boolean(), amount: fc.nat(9), isSettled: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.boolean(), async (steps, isCounted) => {
      const { limited, open } = twoTiers()
      let total = 0
      if (isCounted) await watched[0].admit(limited, [0, 0])
      for (const { by: any, isLimited, amount, isSettled } of steps) {
        const used = isLimited && isSettled ? Math.floor(amount / 2) : amount
        total += used
        // What another replica has not told yet, and the ledger has, a first seed has as well.
        const by = isCounted ? any : 0
        if (!isLimited) {
          useUncounted(watched[by]?.limiter ?? lone, shared.kept, open, amount)
          useUncounted(lone, loneKept, open, amount)
          continue
        }
        const admitted = await watched[by]?.admit(limited, [amount, amount])
        if (isSettled) admitted?.hold.settle([used, used])
        const decision = await lone.reserve({
          id: newId(),
          set: limited,
          amounts: [amount, amount],
          failsClosed: false,
        })
        if (decision.kind === 'admitted' && isSettled) decision.hold.settle([used, used])
      }
      deepEqual(
        (await lone.look(limited)).states.map(state => state?.used),
        [total, total],
      )
      await shared.becomesUsed(limited, [total, total])
    }),
    { numRuns: 30 },
  )
  await lone.close()
})

test('what waits is bounded, and what many requests of a caller have used is told as one', async () => {
  const told: (readonly number[])[] = []
  const use = new UncountedUse(async (_set, amounts) => void told.push(amounts))
  const { open } = twoTiers()
  const nowUs = Date.now() * 1000
  for (let times = 0; times < 5; times += 1) use.add(open, tokens(2), nowUs)
  for (let callers = 0; callers < 20_000; callers += 1) use.add(limitSet([]), tokens(1), nowUs)
  // It was the oldest.
  ok(!use.concerns(limitSet([quota()], { accountId: open.accountId })))
  await use.tell()
  equal(told.length, 20_000)
  ok(told.every(([first]) => first === 1))
  const spender = limitSet([quota()], { accountId: open.accountId })
  use.add(open, tokens(2), nowUs)
  use.add(open, tokens(3), nowUs)
  ok(use.concerns(spender))
  await use.tell()
  deepEqual(told.at(-1), [5, 0, 0, 5, 0, 0])
  ok(!use.concerns(spender))
})

test('what ends while the ledger is asked counts once, whether its answer has it or not', async t => {
  const { makeLimiter, kept } = await startSharedWorld(t)
  const lone = new LoneLimiter({ onTrouble: reason => ok(false, reason) })
  const loneKept = new KeptUse()
  lone.seedFrom(loneKept)
  const shared = (await makeLimiter()).limiter
  for (const [limiter, ledger] of [
    [lone, loneKept],
    [shared, kept],
  ] as const) {
    const { limited, open } = twoTiers()
    const [before, between, after] = ['before', 'between', 'after'].map(name => `${name} ${newId()}`)
    const end = (id = '') => {
      const startedUs = Date.now() * 1000
      ledger.keep(
        id,
        uncountedOf(open),
        uncountedAmounts(uncountedOf(open), tokens(100), { startedUs, nowUs: startedUs }),
      )
      limiter.uncounted.end(id, open, { used: tokens(100), startedUs })
    }
    for (const id of [before, between, after]) limiter.uncounted.begin(id ?? '', open)
    const answer = ledger.usedBefore.bind(ledger)
    ledger.usedBefore = async question => {
      end(before)
      const used = await answer(question)
      end(between)
      return used
    }
    const ask = (amounts: readonly number[]) =>
      limiter.reserve({ id: newId(), set: limited, amounts, failsClosed: false })
    equal((await ask([1, 1])).kind, 'admitted')
    ledger.usedBefore = answer
    end(after)
    await eventually('all of it to be counted', async () => {
      const { states } = await limiter.look(limited)
      deepEqual(
        states.map(state => state?.used),
        [301, 301],
      )
      return true
    })
  }
  await lone.close()
})

test('while questions of one account overlap, nothing that ended in one is in the answer of another and counted as well', () => {
  const counted: string[] = []
  const requests = new UncountedRequests((_set, used) => void counted.push(String(used.tokens)))
  const { open } = twoTiers()
  const end = (tokensUsed: number) => requests.end(String(tokensUsed), open, { used: tokens(tokensUsed), startedUs: 0 })
  requests.begin('1', open)
  const first = requests.open(open.accountId)
  end(1)
  const second = requests.open(open.accountId)
  requests.begin('2', open)
  deepEqual(second.ids().toSorted(), ['1', '2'])
  first.close()
  deepEqual(counted, [])
  end(2)
  second.close()
  deepEqual(counted, ['1', '2'])
  deepEqual(requests.open(open.accountId).ids(), [])
  end(3)
  deepEqual(counted, ['1', '2'])
})

test('what waited while Redis was away is of the day it began in', async () => {
  const told: (readonly number[])[] = []
  const use = new UncountedUse(async (_set, amounts) => void told.push(amounts))
  const [set, nowMs] = [limitSet([]), Date.now()]
  const dayMs = 86_400_000
  const today = Math.floor(nowMs / dayMs) * dayMs
  const money = { requests: 1, tokens: 0, nanoUsd: 7 }
  use.add(set, money, (today - dayMs) * 1000)
  use.add(set, money, (today - 40 * dayMs) * 1000)
  use.add(set, money, nowMs * 1000)
  await use.tell()
  const isMonthBegun = new Date(nowMs).getUTCDate() === 1
  deepEqual(told, [...(isMonthBegun ? [] : [[0, 0, 7]]), [0, 7, 7]])
})
