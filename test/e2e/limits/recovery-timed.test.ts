import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Redis } from 'ioredis'
import type { LimitSet } from '../../../src/domain/limit.ts'
import type { Hold } from '../../../src/limits/limiter.ts'
import { eventually } from '../../support/eventually.ts'
import { flight, limitSet, quota, rate, tokenRate } from '../../support/limit-sets.ts'
import { startSharedWorld, type Watched } from '../../support/shared-limiter.ts'

/** Nothing of it is refilled, so what is used can be told exactly whatever the time that a test takes. */
const total = (capacity: number) => rate({ size: 0, capacity })

/** A client that throws the first answer to each of these commands away, after Redis has done what it says. */
function forgetful(client: Redis, verbs: readonly string[]) {
  const lost: string[] = []
  const wrapped = new Proxy(client, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (name !== 'evalsha' && name !== 'eval') return typeof member === 'function' ? member.bind(target) : member
      return async (...args: Parameters<Redis['evalsha']>) => {
        const reply = await target[name](...args)
        const verb = verbs.find(wanted => args.includes(wanted) && !lost.includes(wanted))
        if (verb === undefined) return reply
        lost.push(verb)
        throw new Error('Command timed out')
      }
    },
  })
  return { wrapped, lost }
}

test('what was used alone is charged once when Redis is back, before anybody else is admitted there', async t => {
  const { makeLimiter, used, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const sets = [limitSet([total(100), quota({ size: 100 })]), limitSet([tokenRate({ size: 0, capacity: 50 })])] as const
  await one.admit(sets[0], [10, 20])
  await one.cut()
  for (const amount of [1, 2, 3]) (await one.admit(sets[0], [amount, amount])).hold.settle([amount, 1])
  ;(await one.admit(sets[1], [50])).hold.settle([45])
  await one.heal()
  const { states } = await one.admit(sets[1], [5])
  deepEqual(states, [{ used: 50, waitUs: 0 }])
  await one.told()
  await becomesUsed(sets[0], [16, 23])
  deepEqual(await used(sets[1]), [50])
})

test('what was used alone counts once where the answer to that is lost and it is sent again', async t => {
  const { makeLimiter, used, becomesUsed } = await startSharedWorld(t)
  let lost: readonly string[] = []
  const one = await makeLimiter({
    wrap: client => {
      const forgets = forgetful(client, ['charge', 'adopt', 'renew', 'settle'])
      lost = forgets.lost
      return forgets.wrapped
    },
  })
  const set = limitSet([total(100), flight()])
  await one.cut()
  ;(await one.admit(set, [10, 1])).hold.settle([6, 1])
  const { hold } = await one.admit(set, [20, 1])
  await one.heal()
  await one.told()
  await becomesUsed(set, [26, 1])
  hold.settle([9, 1])
  await one.told()
  await becomesUsed(set, [15, 0])
  ok(lost.includes('charge') && lost.includes('settle'), lost.join())
  await one.told()
  deepEqual(await used(set), [15, 0])
})

test('what began alone and still runs has its place in Redis afterwards, and is settled there exactly', async t => {
  const { makeLimiter, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100), quota({ size: 100 }), flight(3)])
  await one.cut()
  const [less, more, rest] = [
    await one.admit(set, [10, 10, 1]),
    await one.admit(set, [20, 20, 1]),
    await one.admit(set, [5, 5, 1]),
  ]
  await one.heal()
  await one.told()
  await becomesUsed(set, [35, 35, 3])
  less.hold.settle([4, 4, 1])
  more.hold.settle([26, 26, 1])
  await one.told()
  await becomesUsed(set, [35, 35, 1])
  rest.hold.settle([0, 0, 1])
  rest.hold.settle([5, 5, 1])
  await one.told()
  await becomesUsed(set, [30, 30, 0])
})

test('settlements while Redis is away arrive when it is back, once', async t => {
  const { makeLimiter, used, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  const set = limitSet([total(100), quota({ size: 100 }), flight()])
  const [first, second] = [await one.admit(set, [10, 10, 1]), await one.admit(set, [20, 20, 1])]
  await one.cut()
  first.hold.settle([3, 3, 1])
  first.hold.settle([0, 0, 1])
  second.hold.settle([25, 25, 1])
  deepEqual(await used(set), [30, 30, 2])
  await one.heal()
  await one.told()
  await becomesUsed(set, [28, 28, 0])
})

type Step = { do: 'reserve'; amount: number } | { do: 'settle'; which: number; percent: number }
const faults = ['cut', 'black hole', 'late answers', 'silence', 'none'] as const
type Fault = (typeof faults)[number]

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('reserve' as const), amount: fc.integer({ min: 0, max: 40 }) }),
  fc.record({
    do: fc.constant('settle' as const),
    which: fc.nat(20),
    percent: fc.constantFrom(0, 10, 50, 100, 120),
  }),
)
/** For each account what it does in each phase; a phase begins with the fault of its number, and ends healed or not. */
const accountCount = 24
const phases: fc.Arbitrary<{ fault: Fault; isHealed: boolean; steps: Step[][] }[]> = fc.array(
  fc.record({
    fault: fc.constantFrom(...faults),
    isHealed: fc.boolean(),
    steps: fc.array(fc.array(step, { maxLength: 3 }), { minLength: accountCount, maxLength: accountCount }),
  }),
  { minLength: 4, maxLength: 5 },
)

/** One account, what it holds, and what it has really used so far. */
class Account {
  readonly set: LimitSet = limitSet([quota({ size: 200 }), total(250), flight(4)])
  used = 0
  readonly #one: Watched
  readonly #holds: { hold: Hold; amount: number }[] = []

  constructor(one: Watched) {
    this.#one = one
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const next of steps) {
      if (next.do === 'settle') this.#settle(next.which, next.percent)
      else {
        const decision = await this.#one.ask(this.set, [next.amount, next.amount, 1])
        if (decision.kind === 'admitted') this.#holds.push({ hold: decision.hold, amount: next.amount })
      }
    }
  }

  settleAll(): void {
    while (this.#holds.length > 0) this.#settle(0, 60)
  }

  #settle(which: number, percent: number): void {
    const [found] = this.#holds.splice(which % Math.max(1, this.#holds.length), 1)
    if (found === undefined) return
    const used = Math.round((found.amount * percent) / 100)
    this.used += used
    found.hold.settle([used, used, 1])
    // Whatever is said of it later is said in vain.
    found.hold.settle([0, 0, 1])
  }
}

async function begin(fault: Fault, one: Watched): Promise<void> {
  if (fault === 'cut') await one.cut()
  else if (fault === 'black hole') one.proxy.blackhole()
  else if (fault === 'late answers') one.proxy.latency(200)
  else if (fault === 'silence') one.proxy.latency(100, 0, 'to-server')
}

/** Whether or not it has noticed what was wrong. */
async function recover({ mend, limiter }: Watched): Promise<void> {
  await mend(true)
  await eventually('Redis to be in use again', () => !limiter.isLocal)
}

test('however Redis comes and goes, in the end it has counted exactly what was used', async t => {
  const { makeLimiter, becomesUsed } = await startSharedWorld(t)
  const one = await makeLimiter()
  await fc.assert(
    fc.asyncProperty(phases, async schedule => {
      const accounts = Array.from({ length: accountCount }, () => new Account(one))
      for (const { fault, isHealed, steps } of schedule) {
        if (!one.limiter.isLocal) await begin(fault, one)
        await Promise.all(accounts.map((account, index) => account.run(steps[index] ?? [])))
        if (isHealed) await recover(one)
      }
      await recover(one)
      for (const account of accounts) account.settleAll()
      await one.told()
      for (const account of accounts) await becomesUsed(account.set, [account.used, account.used, 0])
      equal(one.limiter.isLocal, false)
    }),
    // Time is real: a shorter schedule is another one.
    { numRuns: 2, endOnFailure: true },
  )
})

test('what many callers used alone is charged some at a time, and nobody is lost or goes on alone again', async t => {
  const { makeLimiter, used } = await startSharedWorld(t)
  const one = await makeLimiter()
  await one.cut()
  const sets = Array.from({ length: 1000 }, () => limitSet([total(1000), quota(), flight(5)]))
  for (const set of sets) (await one.admit(set, [1, 10, 1])).hold.settle([1, 10, 1])
  const alone = one.reasons.length
  await one.heal()
  await one.told()
  for (const set of sets) deepEqual(await used(set), [1, 10, 0])
  equal(one.reasons.length, alone)
})

/** A client to whom Redis now and then says no: to every second reservation, and to the first charges. */
function refusing(client: Redis, refusals: { charges: number }) {
  let reservations = 0
  return new Proxy(client, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (name !== 'evalsha' && name !== 'eval') return typeof member === 'function' ? member.bind(target) : member
      return async (...args: Parameters<Redis['evalsha']>) => {
        const isRefused = args.includes('charge')
          ? refusals.charges-- > 0
          : args.includes('reserve') && reservations++ % 2 === 1
        if (isRefused) throw new Error('OOM command not allowed')
        return await target[name](...args)
      }
    },
  })
}

test('charges that Redis refuses while it serves others end no process, and are told again', async t => {
  const { makeLimiter, becomesUsed } = await startSharedWorld(t)
  const refusals = { charges: 150 }
  const one = await makeLimiter({ wrap: client => refusing(client, refusals) })
  // More than are charged at once, between two ticks.
  const sets = Array.from({ length: 300 }, () => limitSet([total(1000)]))
  await one.told()
  for (const set of sets) (await one.admit(set, [7])).hold.settle([7])
  await eventually('charges to be refused', () => refusals.charges <= 0)
  await one.told()
  for (const set of sets) await becomesUsed(set, [7])
})
