/**
 * The store of counts in Redis, shared by all replicas. Each call is one round trip that runs one of the scripts
 * beside this file, which decide by Redis' clock alone.
 *
 * A command that timed out here may still run there, seconds later. So a reservation carries a deadline by Redis' clock, as
 * far as that is known here, and is refused beyond it. The clock that is known is always a little behind the real one, by
 * the way of an answer: a reservation is refused too early at worst, and then it is asked once more, with the right clock.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { type CountKeys, rememberByPeriod } from '../domain/count-keys.ts'
import type { LimitSet } from '../domain/limit.ts'
import {
  type LimitState,
  type LimitStore,
  leaseMs,
  type Reservation,
  type Unseeded,
  type Verdict,
} from '../domain/reservation.ts'

interface Script {
  readonly text: string
  readonly sha: string
}

const readLua = (name: string) => readFileSync(new URL(`limit-scripts/${name}.lua`, import.meta.url), 'utf8')

/** What both share stands before each. */
function buildScript(name: string): Script {
  const text = readLua('counts') + readLua(name)
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

const reserveScript = buildScript('reserve')
const settleScript = buildScript('settle')
const seedScript = buildScript('seed')

/** Longer than anybody waits for an answer: see src/limits/failure-detector.ts. */
const defaultPatienceMs = 500

const scripts = {
  reserve: reserveScript,
  adopt: reserveScript,
  look: reserveScript,
  settle: settleScript,
  renew: settleScript,
  charge: settleScript,
  running: seedScript,
  seed: seedScript,
} as const satisfies Record<string, Script>
type Verb = keyof typeof scripts

/** What is the same in every call for a set, as long as its days and months last. */
interface Plan {
  readonly holdPrefix: string
  readonly keys: readonly string[]
  /** Kind, size and two more of each limit, as the script wants them. */
  readonly rows: readonly (readonly [string, string, string, string])[]
}

interface Call {
  readonly id: string
  readonly set: LimitSet
  /** In the order of `set.limits`; 0 where there are none. */
  readonly amounts: readonly number[]
  readonly isWanted?: () => boolean
}

const always = () => true
const kinds: readonly Answer['kind'][] = ['not-done', 'done', 'late', 'unseeded']

/** The script's answer. The third number of a late one is the time that it goes by. */
interface Answer {
  readonly kind: 'done' | 'not-done' | 'late' | 'unseeded'
  readonly atUs: number
  readonly rest: readonly number[]
}

export class RedisLimits implements LimitStore {
  readonly #client: Redis
  readonly #patienceUs: number
  readonly #planAt: (set: LimitSet, momentUs: number) => Plan
  /** Redis' clock less that of this process; null before Redis has said its time. */
  #clockAheadUs: number | null = null
  #firstLook: Promise<void> | null = null

  /** `patienceMs`: how long after it was asked for a reservation may still be made. */
  constructor(client: Redis, options: { readonly leaseMs?: number; readonly patienceMs?: number } = {}) {
    this.#client = client
    this.#patienceUs = (options.patienceMs ?? defaultPatienceMs) * 1000
    const leaseUs = String((options.leaseMs ?? leaseMs) * 1000)
    this.#planAt = rememberByPeriod((keys, set) => planOf(keys, set, leaseUs))
  }

  /** `isWanted`: whether the caller still waits, for where it has to be asked once more. */
  async reserve(
    id: string,
    set: LimitSet,
    amounts: readonly number[],
    isWanted: () => boolean = always,
  ): Promise<Verdict | Unseeded> {
    const { kind, atUs, rest } = await this.#inTime('reserve', { id, set, amounts, isWanted })
    if (kind === 'unseeded') return { kind, atUs }
    const states = statesOf(rest)
    if (kind !== 'done') return { kind: 'denied', states, atUs }
    return { kind: 'admitted', reservation: { id, set, held: amounts, atUs }, states, atUs }
  }

  async settle({ id, set, atUs }: Reservation, used: readonly number[]): Promise<void> {
    await this.#inTime('settle', { id, set, amounts: used }, atUs)
  }

  /**
   * For a reservation whose answer never came: gives back all of what it may have taken. To be asked when its reserve has
   * failed, not before. Rejects when Redis cannot say: then ask again, for as long as an hour.
   */
  async abandon(id: string, set: LimitSet): Promise<void> {
    await this.#inTime('settle', { id, set, amounts: [] })
  }

  async renew(reservations: readonly Reservation[]): Promise<void> {
    await Promise.all(
      reservations.map(({ id, set, held, atUs }) =>
        this.#run('renew', { id, set, amounts: held }, { plan: this.#planAt(set, atUs), sentUs: atUs }),
      ),
    )
  }

  /** Holds amounts for what runs already and was admitted elsewhere; nothing is refused. Once for each id. */
  async adopt(id: string, set: LimitSet, amounts: readonly number[]): Promise<void> {
    await this.#inTime('adopt', { id, set, amounts })
  }

  async charge(id: string | null, set: LimitSet, amounts: readonly number[]): Promise<void> {
    await this.#inTime('charge', { id: id ?? '', set, amounts })
  }

  async look(set: LimitSet): Promise<readonly LimitState[] | null> {
    const { kind, rest } = await this.#inTime('look', { id: '', set, amounts: [] })
    return kind === 'unseeded' ? null : statesOf(rest)
  }

  /** `noted`: what `findRunning` said before. Where Redis has forgotten that meanwhile, nothing is changed. */
  async seed(set: LimitSet, used: readonly number[], atUs: number, noted: readonly string[] = []): Promise<void> {
    await this.#run('seed', { id: '', set, amounts: used }, { plan: this.#planAt(set, atUs), sentUs: noted.length })
  }

  /** The ids of what runs, or has ended, and is noted in counts that wait for their seed, once for each: it is counted already. */
  async findRunning(set: LimitSet, atUs: number): Promise<readonly string[]> {
    const call = { id: '', set, amounts: [] }
    const { rest } = await this.#run('running', call, { plan: this.#planAt(set, atUs), sentUs: atUs })
    return rest.map(String)
  }

  /** Asks once more where the script found the deadline or the period wrong: its answer has put that right. */
  async #inTime(verb: Verb, call: Call, madeAtUs?: number): Promise<Answer> {
    if (this.#clockAheadUs === null) await this.#learnClock()
    let momentUs = madeAtUs ?? this.#nowUs()
    for (let tries = 0; tries < 2; tries += 1) {
      const sentUs = this.#nowUs() + this.#patienceUs
      const answer = await this.#run(verb, call, { plan: this.#planAt(call.set, momentUs), sentUs })
      if (answer.kind !== 'late') return answer
      momentUs = answer.rest[0] ?? answer.atUs
      // Whoever gave up has taken it back already, and would not take back what comes after that.
      if (call.isWanted?.() === false) break
    }
    throw new Error(
      `Redis was asked to ${verb} twice and reached too late both times: it or this process is overloaded`,
    )
  }

  async #run(verb: Verb, { id, set, amounts }: Call, at: { plan: Plan; sentUs: number }): Promise<Answer> {
    const { holdPrefix, keys, rows } = at.plan
    const args: (string | number)[] = [holdPrefix + id, ...keys, verb, at.sentUs, id]
    for (let index = 0; index < set.limits.length; index += 1) {
      const row = rows[index]
      if (row !== undefined) args.push(row[0], row[1], row[2], row[3], amounts[index] ?? 0)
    }
    // What comes after must not overtake these, and it would if Redis had to ask for the script first.
    const isOrdered = verb === 'adopt' || (verb === 'charge' && id !== '')
    const [status, atUs = 0, ...rest] = await this.#evaluate(verb, isOrdered, [keys.length + 1, ...args])
    this.#clockSeen(atUs)
    return { kind: kinds[status ?? 0] ?? 'not-done', atUs, rest }
  }

  async #evaluate(verb: Verb, isOrdered: boolean, args: readonly [number, ...(string | number)[]]): Promise<number[]> {
    const { text, sha } = scripts[verb]
    if (isOrdered) return (await this.#client.eval(text, ...args)) as number[]
    try {
      return (await this.#client.evalsha(sha, ...args)) as number[]
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      // Loads it as well. SCRIPT LOAD would be one more command that may be forbidden.
      return (await this.#client.eval(text, ...args)) as number[]
    }
  }

  #nowUs(): number {
    return Math.floor(performance.now() * 1000 + (this.#clockAheadUs ?? 0))
  }

  #learnClock(): Promise<void> {
    this.#firstLook ??= this.#client
      .time()
      .then(([seconds, us]) => this.#clockSeen(Number(seconds) * 1_000_000 + Number(us)))
      .finally(() => {
        this.#firstLook = null
      })
    return this.#firstLook
  }

  /**
   * The quickest answers tell most, so a clock that seems behind is believed bit by bit: a slow answer is likelier. Far
   * behind, it has been set back, or it is another Redis.
   */
  #clockSeen(redisUs: number): void {
    const aheadUs = redisUs - performance.now() * 1000
    const known = this.#clockAheadUs
    const isSlowAnswer = known !== null && aheadUs < known && aheadUs > known - this.#patienceUs
    this.#clockAheadUs = isSlowAnswer ? known - (known - aheadUs) / 8 : aheadUs
  }
}

function planOf({ keys, periods }: CountKeys, set: LimitSet, leaseUs: string): Plan {
  const rows = set.limits.map((limit, index): Plan['rows'][number] => {
    switch (limit.kind) {
      case 'rate':
        return ['rate', String(limit.size), String(limit.capacity), String(limit.periodMs * 1000)]
      case 'period':
        return ['period', String(limit.size), String(periods[index]?.fromUs), String(periods[index]?.untilUs)]
      case 'flight':
        return ['flight', String(limit.size), leaseUs, '0']
      default:
        return limit satisfies never
    }
  })
  return { holdPrefix: `weir:{${set.accountId}}:hold:`, keys, rows }
}

/** `rest` has used and wait of each limit in turn; no time helps where the wait is negative. */
function statesOf(rest: readonly number[]): LimitState[] {
  const states: LimitState[] = []
  for (let at = 0; at + 1 < rest.length; at += 2) {
    const wait = rest[at + 1] ?? 0
    states.push({ used: rest[at] ?? 0, waitUs: wait < 0 ? Number.POSITIVE_INFINITY : wait })
  }
  return states
}
