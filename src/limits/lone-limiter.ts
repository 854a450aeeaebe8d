import type { LimitSet } from '../domain/limit.ts'
import type { Reservation } from '../domain/reservation.ts'
import { MemoryLimits } from '../embedded/limits.ts'
import { type Decision, decide, type Hold, type Limiter, type Look, type Request } from './limiter.ts'
import { Renewals } from './renewals.ts'

interface OpenHold extends Hold {
  readonly startedMs: number
}

/** For one process without Redis: it counts for itself, and what it has counted ends with it. */
export class LoneLimiter implements Limiter {
  readonly #store = new MemoryLimits({ nowUs: () => Date.now() * 1000 })
  readonly #renewals = new Renewals<OpenHold>(holds => this.#store.renew(holds.map(({ reservation }) => reservation)))

  reserve({ id, set, amounts }: Request): Decision {
    const hold = (reservation: Reservation) => this.#hold(reservation)
    return decide(this.#store.reserve(id, set, amounts), set, { isLocal: false, hold })
  }

  async look(set: LimitSet): Promise<Look> {
    return { set, states: this.#store.look(set), isLocal: false }
  }

  async close(): Promise<void> {
    this.#renewals.stop()
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
