import { deepEqual, equal, ok } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { Hold } from '../../src/limits/limiter.ts'
import { connect } from '../support/limit-redis.ts'
import { flight, limitSet, quota, spendLimit } from '../support/limit-sets.ts'
import { createRedisDatabase } from '../support/services.ts'
import { startSharedWorld, type Watched } from '../support/shared-limiter.ts'

type Step = { do: 'reserve' | 'settle'; who: number; which: number; percent: number; amount: number }
const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('reserve' as const, 'reserve' as const, 'settle' as const),
  who: fc.nat(1),
  which: fc.nat(20),
  percent: fc.constantFrom(0, 10, 100, 120),
  amount: fc.integer({ min: 1, max: 30 }),
})
const accountCount = 12
const schedules = fc.array(
  fc.array(fc.array(step, { maxLength: 6 }), { minLength: accountCount, maxLength: accountCount }),
  {
    minLength: 3,
    maxLength: 3,
  },
)

/** One account at two replicas: what it holds, and what it has really used. */
class Account {
  readonly set = limitSet([quota({ size: 200 }), flight(100)])
  used = 0
  #beyond = 0
  readonly #replicas: readonly Watched[]
  readonly #holds: { hold: Hold; amount: number }[] = []

  constructor(replicas: readonly Watched[]) {
    this.#replicas = replicas
  }

  async run(steps: readonly Step[]): Promise<void> {
    await Promise.all(steps.map(next => (next.do === 'settle' ? this.settle(next) : this.#reserve(next))))
  }

  async #reserve({ who, amount }: Step): Promise<void> {
    const decision = await this.#replicas[who]?.ask(this.set, [amount, 1])
    if (decision?.kind === 'admitted') this.#holds.push({ hold: decision.hold, amount })
    const held = this.#holds.reduce((sum, hold) => sum + hold.amount, 0)
    ok(this.used + held <= 200 + this.#beyond, `${this.used} used and ${held} held of 200 and ${this.#beyond} beyond`)
  }

  settle({ which, percent }: Pick<Step, 'which' | 'percent'>): void {
    const [found] = this.#holds.splice(which % Math.max(1, this.#holds.length), 1)
    if (found === undefined) return
    const used = Math.round((found.amount * percent) / 100)
    this.used += used
    this.#beyond += Math.max(0, used - found.amount)
    found.hold.settle([used, 1])
  }

  settleAll(): void {
    while (this.#holds.length > 0) this.settle({ which: 0, percent: 70 })
  }
}

test('L12: whenever Redis forgets everything, nobody gets more than there is, and in the end the count is exact', async t => {
  const { makeLimiter, direct, becomesUsed } = await startSharedWorld(t)
  const replicas = [await makeLimiter(), await makeLimiter()]
  await fc.assert(
    fc.asyncProperty(schedules, async schedule => {
      const accounts = Array.from({ length: accountCount }, () => new Account(replicas))
      for (const [phase, steps] of schedule.entries()) {
        const running = accounts.map((account, index) => account.run(steps[index] ?? []))
        // In the middle of it.
        if (phase > 0) await direct.flushdb()
        await Promise.all(running)
      }
      for (const account of accounts) account.settleAll()
      for (const one of replicas) await one.told()
      for (const account of accounts) await becomesUsed(account.set, [account.used, 0])
      deepEqual(
        replicas.flatMap(({ reasons }) => reasons),
        [],
      )
    }),
    // Time is real: a shorter schedule is another one.
    { numRuns: 2, endOnFailure: true },
  )
})

const dayMs = 86_400_000

/** A Redis that has forgotten nothing since long before any day or month that runs. */
async function startOldWorld(t: TestContext) {
  const url = await createRedisDatabase(t)
  const client = await connect(t, url)
  await client.set('weir:{replicas}:epoch', `old ${Date.now() - 60 * dayMs}`)
  return await startSharedWorld(t, url)
}

test('L12: a Redis that forgets after a long time is asked about first: the database has to have what has ended elsewhere', async t => {
  const { makeLimiter, direct, kept } = await startOldWorld(t)
  const [one, two] = [await makeLimiter(), await makeLimiter()]
  const set = limitSet([spendLimit({ size: 100 })])
  ;(await two.admit(set, [90])).hold.settle([90])
  await two.told()
  kept.fault = new Error('the database is away')
  await direct.flushdb()
  equal((await one.ask(set, [20])).kind, 'unavailable')
  kept.fault = null
  deepEqual((await one.ask(set, [20])).kind, 'denied')
})

test('L12: what is forgotten while its seed is on the way is not seeded by what was known before', async t => {
  const { makeLimiter, direct, kept, used } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([spendLimit({ size: 100 })])
  const { hold } = await one.admit(set, [60])
  await direct.flushdb()
  const usedBefore = kept.usedBefore.bind(kept)
  let times = 0
  kept.usedBefore = async question => {
    const answer = await usedBefore(question)
    if (question.except().length > 0 && times++ === 0) {
      hold.settle([60])
      await one.told()
      await direct.flushdb()
    }
    return answer
  }
  equal((await one.ask(set, [60])).kind, 'denied')
  equal(times, 1)
  deepEqual(await used(set), [60])
})
