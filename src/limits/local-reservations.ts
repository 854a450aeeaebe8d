import type { LimitSet } from '../domain/limit.ts'
import type { Place } from '../domain/limit-share.ts'
import type { Reservation, Unseeded } from '../domain/reservation.ts'
import { type Decision, decide, type Hold, type Look, type Request } from './limiter.ts'
import type { LocalLimits } from './local-limits.ts'
import type { PastUse } from './past-use.ts'
import { Seeding } from './seeding.ts'
import type { UncountedRequests } from './uncounted-requests.ts'

export interface LocalReservationsOptions {
  readonly local: LocalLimits
  /** This replica's among those that live, as last known. */
  readonly place: () => Place
  readonly hold: (reservation: Reservation, wholeSet: LimitSet) => Hold
  readonly uncounted: UncountedRequests
  readonly onTrouble: (reason: string) => void
}

/** Reservations in this replica's part of the limits, while the store that all replicas share is away. */
export class LocalReservations {
  readonly #options: LocalReservationsOptions
  /** Of callers who were not seen while the shared store was there. */
  readonly #seeding: Seeding

  constructor(options: LocalReservationsOptions) {
    this.#options = options
    this.#seeding = new Seeding({
      store: {
        seed: (set, used, atUs) => options.local.seed(this.partOf(set), { used, place: options.place(), atUs }),
      },
      // Others are at work as well: what one replica alone knows is never all.
      findSinceUs: async () => Number.POSITIVE_INFINITY,
      whenComplete: async () => undefined,
      uncounted: options.uncounted,
      beforeSeed: async () => undefined,
      findRunning: async () => [],
      onTrouble: options.onTrouble,
    })
  }

  seedFrom(past: PastUse): void {
    this.#seeding.use(past)
  }

  /** The set that counts here. */
  partOf(set: LimitSet): LimitSet {
    return this.#options.local.partOf(set, this.#options.place(), performance.now())
  }

  reserve(request: Request): Decision | Promise<Decision> {
    if (request.failsClosed) return { kind: 'unavailable' }
    const answer = this.#ask(request)
    return answer.kind === 'unseeded' ? this.#seeding.thenAsk(request.set, answer, () => this.#ask(request)) : answer
  }

  look(set: LimitSet): Look {
    const part = this.partOf(set)
    return { set: part, states: this.#options.local.look(part), isLocal: true }
  }

  #ask({ id, set, amounts }: Request): Decision | Unseeded {
    const { local, hold } = this.#options
    const part = this.partOf(set)
    const verdict = local.reserve(id, part, amounts)
    if (verdict.kind === 'unseeded') return verdict
    return decide(verdict, part, { isLocal: true, hold: reservation => hold(reservation, set) })
  }
}
