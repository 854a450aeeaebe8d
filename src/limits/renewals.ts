import { leaseMs } from '../domain/reservation.ts'

interface Renewable {
  readonly startedMs: number
}

/** Three tries before a lease ends. */
const renewEveryMs = leaseMs / 3

/** What runs for longer than a moment, and has to say so again and again. Short requests are never renewed. */
export class Renewals<Item extends Renewable> {
  readonly #open = new Set<Item>()
  readonly #timer: NodeJS.Timeout

  constructor(renew: (items: readonly Item[]) => void) {
    this.#timer = setInterval(() => {
      const before = performance.now() - renewEveryMs / 2
      const old = [...this.#open].filter(({ startedMs }) => startedMs < before)
      if (old.length > 0) renew(old)
    }, renewEveryMs)
    this.#timer.unref()
  }

  add(item: Item): void {
    this.#open.add(item)
  }

  /** False where it was not there, or no more. */
  delete(item: Item): boolean {
    return this.#open.delete(item)
  }

  get open(): Iterable<Item> {
    return this.#open
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
