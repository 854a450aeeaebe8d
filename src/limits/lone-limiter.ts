import type { LimitSet } from '../domain/limit.ts'
import type { Reservation, Unseeded } from '../domain/reservation.ts'
import { uncountedAmounts, uncountedOf } from '../domain/uncounted.ts'
import { MemoryLimits } from '../embedded/limits.ts'
import { type Decision, decide, type Hold, type Limiter, type Look, type Request } from './limiter.ts'
import type { PastUse } from './past-use.ts'
import { Renewals } from './renewals.ts'
import { Seeding } from './seeding.ts'
import { UncountedRequests } from './uncounted-requests.ts'

interface OpenHold extends Hold {
  readonly startedMs: number
}

const nowUs = () => Date.now() * 1000

/** For one process without Redis: it counts for itself. What it has counted of days and months is in the ledger as well. */
export class LoneLimiter implements Limiter {
  readonly #store = new MemoryLimits({ nowUs })
  readonly uncounted = new UncountedRequests((set, used, startedUs) => {
    const uncounted = uncountedOf(set)
    this.#store.charge(null, uncounted, uncountedAmounts(uncounted, used, { startedUs, nowUs: nowUs() }))
  })
  readonly #renewals = new Renewals<OpenHold>(holds => this.#store.renew(holds.map(({ reservation }) => reservation)))
  /** There is nobody to count together with. */
  readonly isLocal: boolean = false
  readonly #seeding: Seeding

  constructor({ onTrouble }: { readonly onTrouble: (reason: string) => void }) {
    const sinceUs = nowUs()
    this.#seeding = new Seeding({
      store: this.#store,
      findSinceUs: async () => sinceUs,
      whenComplete: async () => undefined,
      uncounted: this.uncounted,
      beforeSeed: async () => undefined,
      findRunning: async () => [],
      onTrouble,
    })
  }

  seedFrom(past: PastUse): void {
    this.#seeding.use(past)
  }

  reserve(request: Request): Decision | Promise<Decision> {
    const answer = this.#ask(request)
    return answer.kind === 'unseeded' ? this.#seeding.thenAsk(request.set, answer, () => this.#ask(request)) : answer
  }

  async look(set: LimitSet): Promise<Look> {
    let states = this.#store.look(set)
    if (states === null && (await this.#seeding.hasSeeded(set, nowUs()))) states = this.#store.look(set)
    return { set, states: states ?? this.#store.lookKnown(set), isLocal: false }
  }

  async close(): Promise<void> {
    this.#renewals.stop()
  }

  #ask({ id, set, amounts }: Request): Decision | Unseeded {
    const verdict = this.#store.reserve(id, set, amounts)
    if (verdict.kind === 'unseeded') return verdict
    return decide(verdict, set, { isLocal: false, hold: reservation => this.#hold(reservation) })
  }

  #hold(reservation: Reservation): Hold {
    const hold: OpenHold = {
      reservation,
      startedMs: performance.now(),
      settle: used => {
        if (this.#renewals.delete(hold)) this.#store.settle(reservation, used)
      },
    }
    this.#renewals.add(hold)
    return hold
  }
}
