import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { LimitSet } from '../domain/limit.ts'
import type { LimitState, Reservation } from '../domain/reservation.ts'
import { RedisLimits } from '../store/limits.ts'
import type { RedisUse } from '../store/redis-client.ts'
import { beat, leave } from '../store/replicas.ts'
import { Backlog } from './backlog.ts'
import { Breaker } from './breaker.ts'
import { lostMs } from './failure-detector.ts'
import { KnownStates } from './known-states.ts'
import { type Decision, decide, type Limiter, type LimiterEvents, type Look, type Request } from './limiter.ts'
import { LivePlace } from './live-place.ts'
import { LocalCharges } from './local-charges.ts'
import { LocalLimits } from './local-limits.ts'
import { probedSet } from './probed-set.ts'
import { Renewals } from './renewals.ts'
import { type HoldKeepers, type HoldPlace, SharedHold } from './shared-hold.ts'
import { SharedReservations } from './shared-reservations.ts'

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
  readonly #replica = randomUUID()
  readonly #place: LivePlace
  readonly #known = new KnownStates()
  readonly #local: LocalLimits
  readonly #backlog = new Backlog()
  readonly #renewals: Renewals<SharedHold>
  readonly #charges: LocalCharges
  readonly #breaker: Breaker
  readonly #reservations: SharedReservations
  readonly #keepers: HoldKeepers
  readonly #timer: NodeJS.Timeout
  #ticks = 0
  #troubledMs = Number.NEGATIVE_INFINITY
  #isProbing = false

  constructor({ client, assumedReplicas, events }: SharedLimiterOptions) {
    this.#client = client
    this.#store = new RedisLimits(client)
    this.#events = events
    this.#place = new LivePlace(assumedReplicas)
    this.#local = new LocalLimits(this.#known, () => Date.now() * 1000)
    this.#renewals = new Renewals(holds => this.#renew(holds))
    this.#breaker = new Breaker({
      onOpen: reason => {
        this.#reservations.giveUp()
        events.onModeChange(true, reason)
      },
      onClose: () => {
        this.#reservations.trust()
        events.onModeChange(false, null)
      },
    })
    this.#charges = new LocalCharges({
      store: this.#store,
      local: this.#local,
      backlog: this.#backlog,
      breaker: this.#breaker,
      renewals: this.#renewals,
    })
    this.#reservations = new SharedReservations({
      store: this.#store,
      known: this.#known,
      breaker: this.#breaker,
      backlog: this.#backlog,
      events,
      onTrouble: reason => this.#trouble(reason),
      replicas: () => this.#place.current.count,
      hold: (reservation, wholeSet, place) => this.#hold(reservation, wholeSet, place),
      reserveLocally: request => this.#reserveLocally(request),
    })
    this.#keepers = {
      store: this.#store,
      local: this.#local,
      backlog: this.#backlog,
      breaker: this.#breaker,
      known: this.#known,
      end: hold => this.#renewals.delete(hold),
      holdLocally: ({ id, set, held }) => this.#local.adopt(id, this.#partOf(set), held),
      endPromise: (reservation, used) => this.#reservations.endPromise(reservation, used),
    }
    this.#timer = setInterval(() => void this.#tick(), tickMs)
    this.#timer.unref()
  }

  /** Whether this replica counts for itself. */
  get isLocal(): boolean {
    return this.#breaker.isOpen
  }

  /** Waits a moment for the connection and gets in contact; never rejects. Where there is none yet, a tick does it. */
  async begin(): Promise<void> {
    if (this.#client.status !== 'ready') {
      const { promise: isReady, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, firstContactMs)
      this.#client.once('ready', resolve)
      await isReady
      clearTimeout(timer)
      this.#client.off('ready', resolve)
    }
    await this.#probe()
  }

  reserve(request: Request): Decision | Promise<Decision> {
    const { set, amounts } = request
    if (this.#breaker.isOpen) return this.#reserveLocally(request)
    const states = this.#known.findDenial(set, amounts, performance.now())
    if (states !== null) return { kind: 'denied', set, states, isLocal: false }
    return this.#reservations.ask(request)
  }

  async look(set: LimitSet): Promise<Look> {
    const states = this.#breaker.isOpen ? null : await this.#lookShared(set)
    if (states !== null) return { set, states, isLocal: false }
    // Its part is to begin with what is known when it is needed, so not now.
    if (!this.#breaker.isOpen) return { set, states: this.#known.lastStates(set, performance.now()), isLocal: true }
    const part = this.#partOf(set)
    return { set: part, states: this.#local.look(part), isLocal: true }
  }

  async #lookShared(set: LimitSet): Promise<readonly LimitState[] | null> {
    const { promise: patience, resolve } = Promise.withResolvers<null>()
    const timer = setTimeout(resolve, lookPatienceMs, null)
    try {
      return await Promise.race([this.#store.look(set), patience])
    } catch (error) {
      this.#breaker.failed(error)
      return null
    } finally {
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#renewals.stop()
    if (this.#breaker.isOpen) {
      this.#client.disconnect()
      return
    }
    const said = Promise.allSettled([this.#charges.tell(), this.#backlog.flush(), leave(this.#client, this.#replica)])
    const { promise: expired, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, closeTimeoutMs)
    await Promise.race([said, expired])
    clearTimeout(timer)
    this.#client.disconnect()
  }

  #reserveLocally({ id, set, amounts, failsClosed }: Request): Decision {
    if (failsClosed) return { kind: 'unavailable' }
    const part = this.#partOf(set)
    return decide(this.#local.reserve(id, part, amounts), part, {
      isLocal: true,
      hold: reservation => this.#hold(reservation, set, 'local'),
    })
  }

  #partOf(set: LimitSet): LimitSet {
    return this.#local.partOf(set, this.#place.current, performance.now())
  }

  #hold(reservation: Reservation, wholeSet: LimitSet, place: HoldPlace): SharedHold {
    const hold = new SharedHold(this.#keepers, reservation, { place, wholeSet })
    this.#renewals.add(hold)
    return hold
  }

  #renew(holds: readonly SharedHold[]): void {
    const reservations = (place: HoldPlace) =>
      holds.filter(hold => hold.place === place).map(({ reservation }) => reservation)
    this.#local.renew(reservations('local'))
    if (this.#breaker.isOpen) return
    for (const hold of holds) hold.finishMove()
    this.#store.renew(reservations('shared')).catch(error => this.#breaker.failed(error))
  }

  async #tick(): Promise<void> {
    this.#ticks++
    this.#events.onBacklog(this.#backlog.size, this.#backlog.dropped)
    if (this.#breaker.isOpen || this.#ticks % ticksPerBeat === 0) return await this.#probe()
    // What Redis does not take is kept in the backlog; nobody above this would hear of it.
    if (this.#local.touched > 0) await this.#charges.tell().catch(error => this.#breaker.failed(error))
    if (this.#backlog.size > 0) await this.#backlog.flush()
    if (this.#backlog.lastFailure !== null) this.#trouble(this.#backlog.lastFailure)
  }

  #trouble(reason: string): void {
    const nowMs = performance.now()
    if (nowMs - this.#troubledMs < betweenTroublesMs) return
    this.#troubledMs = nowMs
    this.#events.onTrouble(reason)
  }

  async #probe(): Promise<void> {
    if (this.#isProbing) return
    this.#isProbing = true
    try {
      const sentMs = performance.now()
      const place = await beat(this.#client, this.#replica)
      const tookMs = performance.now() - sentMs
      this.#place.note(place, performance.now())
      if (this.#breaker.isOpen && tookMs > lostMs) throw new Error(`Redis takes ${Math.round(tookMs)} ms to answer`)
      await this.#probeLimits()
      if (this.#breaker.isOpen) await this.#charges.tell()
      this.#breaker.close()
    } catch (error) {
      this.#breaker.failed(error)
    } finally {
      this.#isProbing = false
    }
  }

  async #probeLimits(): Promise<void> {
    const each = (amount: number) => probedSet.limits.map(() => amount)
    const verdict = await this.#store.reserve(randomUUID(), probedSet, each(1))
    if (verdict.kind === 'admitted') await this.#store.settle(verdict.reservation, each(0))
  }
}
