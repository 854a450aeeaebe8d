import type { LimitSet } from '../domain/limit.ts'
import type { Reservation, Unseeded, Verdict } from '../domain/reservation.ts'
import type { RedisLimits } from '../store/limits.ts'
import type { Backlog } from './backlog.ts'
import { type Breaker, isOfOneAccount } from './breaker.ts'
import { FailureDetector, lostMs } from './failure-detector.ts'
import { Headroom } from './headroom.ts'
import type { KnownStates } from './known-states.ts'
import { type Decision, decide, type LimiterEvents, type Request } from './limiter.ts'
import type { Seeding } from './seeding.ts'
import type { SharedHold } from './shared-hold.ts'

export interface SharedReservationsOptions {
  readonly store: RedisLimits
  readonly known: KnownStates
  readonly breaker: Breaker
  readonly backlog: Backlog
  readonly seeding: Seeding
  readonly events: Pick<LimiterEvents, 'onRoundTrip' | 'onSuspicion'>
  readonly onTrouble: (reason: string) => void
  readonly replicas: () => number
  readonly hold: (reservation: Reservation, set: LimitSet, place: 'shared' | 'promised') => SharedHold
  readonly reserveLocally: (request: Request) => Decision | Promise<Decision>
}

/** One that Redis has been asked for and has not answered. */
interface Inquiry {
  readonly request: Request
  readonly resolve: (answer: Decision | Unseeded | Promise<Decision>) => void
  isWanted: boolean
  /** Of a request that was admitted in advance. */
  promised: SharedHold | null
}

/**
 * Reservations in Redis. Where that is silent for a moment, whoever certainly fits is admitted on the promise that the
 * reservation under way will be made; it is made when Redis goes on, and counted nowhere else. Whoever is near a limit
 * waits on, since who is admitted wrongly has been admitted: a Redis with much to do is silent as well. Once it is lost
 * all are admitted by this replica's part.
 */
export class SharedReservations {
  readonly #options: SharedReservationsOptions
  readonly #open = new Set<Inquiry>()
  readonly #headroom: Headroom
  readonly #detector: FailureDetector

  constructor(options: SharedReservationsOptions) {
    this.#options = options
    this.#headroom = new Headroom(options.known)
    this.#detector = new FailureDetector({
      onSuspect: () => {
        options.events.onSuspicion(true)
        const asked = [...this.#open].map(inquiry => [inquiry, this.#add(inquiry)] as const)
        for (const [inquiry, amounts] of asked) if (inquiry.promised === null) this.#promise(inquiry, amounts)
      },
      onTrust: () => {
        this.#headroom.clear()
        options.events.onSuspicion(false)
      },
      onLost: () => options.breaker.open(`Redis has not answered for ${lostMs} ms`),
    })
  }

  /** Never rejects. */
  async reserve(request: Request): Promise<Decision> {
    const answer = await this.#ask(request)
    if (answer.kind !== 'unseeded') return answer
    return await this.#options.seeding.thenAsk(request.set, answer, () => this.#ask(request))
  }

  #ask(request: Request): Promise<Decision | Unseeded> {
    const { promise, resolve } = Promise.withResolvers<Decision | Unseeded>()
    const inquiry: Inquiry = { request, resolve, isWanted: true, promised: null }
    const { id, set, amounts } = request
    const sentMs = performance.now()
    this.#open.add(inquiry)
    this.#detector.sent()
    this.#options.store
      .reserve(id, set, amounts, () => inquiry.isWanted)
      .then(
        verdict => {
          this.#detector.answered()
          this.#conclude(inquiry, verdict, sentMs)
        },
        error => {
          this.#detector.failed()
          this.#failed(inquiry, error)
        },
      )
    if (this.#detector.isSuspected) this.#promise(inquiry, this.#add(inquiry))
    return promise
  }

  /** Redis is known to be away. */
  giveUp(): void {
    for (const inquiry of this.#open) this.#giveUpOn(inquiry)
    this.#headroom.clear()
  }

  /** Redis is known to be back. */
  trust(): void {
    this.#detector.trust()
  }

  /** What was admitted in advance has ended before Redis has said anything of it. */
  endPromise({ set, held }: Reservation, used: readonly number[]): void {
    this.#headroom.settle(set, held, used)
  }

  #add({ request: { set, amounts } }: Inquiry): readonly number[] {
    return this.#headroom.add(set, amounts)
  }

  /** `asked`: all that has been asked for of these limits, up to this. */
  #promise(inquiry: Inquiry, asked: readonly number[]): void {
    const { resolve } = inquiry
    const { id, set, amounts, failsClosed } = inquiry.request
    const states = failsClosed ? null : this.#headroom.statesAfter(set, asked, this.#options.replicas())
    if (states === null) return
    inquiry.promised = this.#options.hold({ id, set, held: amounts, atUs: Date.now() * 1000 }, set, 'promised')
    resolve({ kind: 'admitted', hold: inquiry.promised, set, states })
  }

  #conclude(inquiry: Inquiry, verdict: Verdict | Unseeded, sentMs: number): void {
    // Given up on: what may have been made is given back already.
    if (!this.#open.delete(inquiry)) return
    const { breaker, known, events, hold } = this.#options
    const { request, resolve, promised } = inquiry
    const { set, amounts } = request
    const nowMs = performance.now()
    breaker.succeeded()
    events.onRoundTrip(nowMs - sentMs)
    if (verdict.kind !== 'unseeded') known.note(set, verdict, amounts, nowMs)
    if (promised !== null) promised.keep(verdict)
    else if (verdict.kind === 'unseeded') resolve(verdict)
    else resolve(decide(verdict, set, { isLocal: false, hold: reservation => hold(reservation, set, 'shared') }))
  }

  /** Where the counts of this account are wrong, nobody can say what it may; else Redis has failed. */
  #failed(inquiry: Inquiry, error: unknown): void {
    const { breaker, onTrouble } = this.#options
    if (!isOfOneAccount(error)) {
      breaker.failed(error)
      this.#giveUpOn(inquiry)
      return
    }
    if (!this.#open.delete(inquiry)) return
    onTrouble(`account ${inquiry.request.set.accountId}: ${error.message}`)
    if (inquiry.promised === null) inquiry.resolve({ kind: 'unavailable' })
    else inquiry.promised.fallBack()
  }

  #giveUpOn(inquiry: Inquiry): void {
    if (!this.#open.delete(inquiry)) return
    const { backlog, store, reserveLocally } = this.#options
    const { request, resolve, promised } = inquiry
    inquiry.isWanted = false
    // It may have been made all the same, or be made still.
    backlog.send(() => store.abandon(request.id, request.set))
    if (promised === null) resolve(reserveLocally(request))
    else promised.fallBack()
  }
}
