import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { LimitSet } from '../domain/limit.ts'
import type { LimitState } from '../domain/reservation.ts'
import { RedisLimits } from '../store/limits.ts'
import { type RedisUse, untilConnected } from '../store/redis-client.ts'
import { Backlog } from './backlog.ts'
import { Breaker } from './breaker.ts'
import { lostMs } from './failure-detector.ts'
import { KnownStates } from './known-states.ts'
import type { Decision, Limiter, LimiterEvents, Look, Request } from './limiter.ts'
import { LocalCharges } from './local-charges.ts'
import { LocalLimits } from './local-limits.ts'
import { LocalReservations } from './local-reservations.ts'
import type { PastUse } from './past-use.ts'
import { Presence } from './presence.ts'
import { probeLimits } from './probed-set.ts'
import { Seeding } from './seeding.ts'
import { seldom } from './seldom.ts'
import { SharedHolds } from './shared-holds.ts'
import { SharedReservations } from './shared-reservations.ts'
import { UncountedRequests } from './uncounted-requests.ts'
import { UncountedUse } from './uncounted-use.ts'

/**
 * A connection of its own: nobody's large values stand before a reservation. The timeout is for what no request waits for;
 * how long those wait is the limiter's to say.
 */
export const limiterConnection: RedisUse = { connectionName: 'weir-limits', commandTimeout: 1000 }

export interface SharedLimiterOptions {
  /** With `limiterConnection`; it is disconnected at the end. */
  readonly client: Redis
  /** How many replicas to share with while Redis has never said. */
  readonly assumedReplicas: number
  readonly events: LimiterEvents
}

const tickMs = 250
const ticksPerBeat = 4
const firstContactMs = 500
/** For whoever only wants to know. */
const lookPatienceMs = 50
const betweenTroublesMs = 10_000
/** For the last settlements when the process ends. */
const closeTimeoutMs = 1000

/**
 * Counts in Redis, together with all replicas, and where that is silent as SharedReservations says. Once it is lost, or has
 * failed a few times in a row, requests are admitted by this replica's part of the limits, and nobody waits. When Redis is
 * back it is told what was used meanwhile, before anything else is asked of it.
 */
export class SharedLimiter implements Limiter {
  readonly #client: Redis
  readonly #store: RedisLimits
  readonly #events: LimiterEvents
  readonly #presence: Presence
  readonly #known = new KnownStates()
  readonly #local: LocalLimits
  readonly #backlog = new Backlog()
  readonly #holds: SharedHolds
  readonly #charges: LocalCharges
  readonly #breaker: Breaker
  readonly #reservations: SharedReservations
  readonly #seeding: Seeding
  readonly #alone: LocalReservations
  readonly #use = new UncountedUse((set, amounts) => this.#store.charge(null, set, amounts))
  readonly uncounted = new UncountedRequests((set, used, startedUs) => this.#use.add(set, used, startedUs))
  readonly #timer: NodeJS.Timeout
  #ticks = 0
  #past: PastUse | null = null
  #isProbing = false

  constructor({ client, assumedReplicas, events }: SharedLimiterOptions) {
    this.#client = client
    this.#store = new RedisLimits(client)
    const onTrouble = seldom(betweenTroublesMs, events.onTrouble)
    this.#events = { ...events, onTrouble }
    this.#presence = new Presence({ client, assumedReplicas, onTrouble, tell: () => this.#tellAll() })
    this.#local = new LocalLimits(this.#known, () => Date.now() * 1000)
    this.#breaker = new Breaker({
      onOpen: reason => {
        this.#presence.wasAway()
        this.#reservations.giveUp()
        events.onModeChange(true, reason)
      },
      onClose: () => {
        this.#reservations.trust()
        events.onModeChange(false, null)
      },
    })
    this.#holds = new SharedHolds({
      store: this.#store,
      local: this.#local,
      backlog: this.#backlog,
      breaker: this.#breaker,
      known: this.#known,
      holdLocally: ({ id, set, held }) => this.#local.adopt(id, this.#alone.partOf(set), held),
      endPromise: (reservation, used) => this.#reservations.endPromise(reservation, used),
    })
    this.#charges = new LocalCharges({
      store: this.#store,
      local: this.#local,
      backlog: this.#backlog,
      breaker: this.#breaker,
      holds: this.#holds,
    })
    this.#seeding = new Seeding({
      store: this.#store,
      findSinceUs: () => this.#presence.findSinceUs(),
      uncounted: this.uncounted,
      beforeSeed: () => this.#tellUncounted(),
      whenComplete: () => this.#presence.whenComplete(),
      findRunning: (set, atUs) => this.#store.findRunning(set, atUs),
      onTrouble,
    })
    this.#alone = new LocalReservations({
      local: this.#local,
      place: () => this.#presence.place,
      hold: (reservation, wholeSet) => this.#holds.hold(reservation, wholeSet, 'local'),
      uncounted: this.uncounted,
      onTrouble,
    })
    this.#reservations = new SharedReservations({
      store: this.#store,
      known: this.#known,
      breaker: this.#breaker,
      backlog: this.#backlog,
      seeding: this.#seeding,
      events,
      onTrouble,
      replicas: () => this.#presence.place.count,
      hold: (reservation, wholeSet, place) => this.#holds.hold(reservation, wholeSet, place),
      reserveLocally: request => this.#alone.reserve(request),
    })
    this.#timer = setInterval(() => void this.#tick(), tickMs)
    this.#timer.unref()
  }

  get isLocal(): boolean {
    return this.#breaker.isOpen
  }

  /** Waits a moment for the connection and gets in contact; never rejects. Where there is none yet, a tick does it. */
  async begin(): Promise<void> {
    await untilConnected(this.#client, firstContactMs)
    await this.#probe()
  }

  reserve(request: Request): Decision | Promise<Decision> {
    const { set, amounts } = request
    if (this.#breaker.isOpen) return this.#alone.reserve(request)
    const states = this.#known.findDenial(set, amounts, performance.now())
    if (states !== null) return { kind: 'denied', set, states, isLocal: false }
    // On one connection it comes before the question.
    if (this.#use.concerns(set)) void this.#tellUncounted()
    return this.#reservations.reserve(request)
  }

  seedFrom(past: PastUse): void {
    this.#past = past
    this.#seeding.use(past)
    this.#alone.seedFrom(past)
  }

  async look(set: LimitSet): Promise<Look> {
    const states = this.#breaker.isOpen ? null : await this.#lookShared(set)
    if (states !== null) return { set, states, isLocal: false }
    // Its part is to begin with what is known when it is needed, so not now.
    if (!this.#breaker.isOpen) return { set, states: this.#known.lastStates(set, performance.now()), isLocal: true }
    return this.#alone.look(set)
  }

  async #lookShared(set: LimitSet): Promise<readonly LimitState[] | null> {
    const { promise: patience, resolve } = Promise.withResolvers<null>()
    const timer = setTimeout(resolve, lookPatienceMs, null)
    try {
      const states = await Promise.race([this.#store.look(set), patience])
      if (states !== null || this.#breaker.isOpen) return states
      return await Promise.race([this.#lookSeeded(set), patience])
    } catch (error) {
      this.#breaker.failed(error)
      return null
    } finally {
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#holds.stop()
    if (this.#breaker.isOpen) {
      this.#client.disconnect()
      return
    }
    const counted = [this.#charges.tell(), this.#tellUncounted(), this.#backlog.flush()]
    const said = Promise.allSettled([...counted, this.#presence.leave()])
    await Promise.race([said, delay(closeTimeoutMs, undefined, { ref: false })])
    this.#client.disconnect()
  }

  async #lookSeeded(set: LimitSet): Promise<readonly LimitState[] | null> {
    const isSeeded = await this.#seeding.hasSeeded(set, Date.now() * 1000)
    return isSeeded ? await this.#store.look(set) : null
  }

  /** What Redis may have missed: what runs here, and by the ledger what has ended. */
  async #tellAll(): Promise<boolean> {
    if (this.#past === null) return false
    await Promise.all([this.#holds.tell(), this.#tellUncounted()])
    await this.#past.whenStored()
    // What is charged after a count was seeded from the ledger, which has it as well, would count twice.
    return this.#local.touched === 0 && this.#backlog.size === 0
  }

  async #tick(): Promise<void> {
    this.#ticks++
    this.#events.onBacklog(this.#backlog.size, this.#backlog.dropped)
    if (this.#breaker.isOpen || this.#ticks % ticksPerBeat === 0) return await this.#probe()
    // What Redis does not take is kept in the backlog; nobody above this would hear of it.
    if (this.#local.touched > 0) await this.#charges.tell().catch(error => this.#breaker.failed(error))
    if (this.#backlog.size > 0) await this.#backlog.flush()
    if (this.#backlog.lastFailure !== null) this.#events.onTrouble(this.#backlog.lastFailure)
    // Last, since Redis may be known to be away by then.
    await this.#tellUncounted()
  }

  async #tellUncounted(): Promise<void> {
    await this.#use.tell().catch(error => this.#breaker.failed(error))
  }

  async #probe(): Promise<void> {
    if (this.#isProbing) return
    this.#isProbing = true
    try {
      const sentMs = performance.now()
      await this.#presence.beat()
      const tookMs = performance.now() - sentMs
      if (this.#breaker.isOpen && tookMs > lostMs) throw new Error(`Redis takes ${Math.round(tookMs)} ms to answer`)
      await probeLimits(this.#store)
      if (this.#breaker.isOpen) await this.#charges.tell()
      this.#breaker.close()
    } catch (error) {
      this.#breaker.failed(error)
    } finally {
      this.#isProbing = false
    }
  }
}
