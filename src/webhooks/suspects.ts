import type { Spender } from '../store/period-usage.ts'
import { keyOfSpender } from './usage-marks.ts'

/** Spenders that are to be looked at together, and by themselves. */
export interface Suspicion {
  readonly spenders: readonly Spender[]
  /** How many looks at them, with or without others, have failed. */
  readonly failures: number
}

const longestWait = 64

/**
 * Those at whom no look succeeded, in halves of those of whom it is not known whose fault it was. So whoever cannot be looked
 * at is alone after a few looks, and holds nobody up: then each try comes after twice the time of the one before.
 */
export class Suspects {
  readonly #max: number
  readonly #retryMs: number
  #parts: (Suspicion & { readonly dueAtMs: number })[] = []
  readonly #keys = new Set<string>()

  constructor(max: number, retryMs: number) {
    this.#max = max
    this.#retryMs = retryMs
  }

  get size(): number {
    return this.#keys.size
  }

  /** When the first of them is due; null where there is none. */
  get dueAtMs(): number | null {
    return this.#parts.length === 0 ? null : Math.min(...this.#parts.map(({ dueAtMs }) => dueAtMs))
  }

  has(spender: Spender): boolean {
    return this.#keys.has(keyOfSpender(spender))
  }

  /** A look at these has failed, for the first time or again. Whether there was room for them. */
  add({ spenders, failures }: Suspicion, nowMs: number): boolean {
    if (this.#keys.size + spenders.length > this.#max) return false
    const middle = Math.ceil(spenders.length / 2)
    const waitMs = spenders.length > 1 ? 0 : this.#retryMs * Math.min(2 ** failures, longestWait)
    for (const half of [spenders.slice(0, middle), spenders.slice(middle)]) {
      if (half.length > 0) this.putBack({ spenders: half, failures }, nowMs + waitMs)
    }
    return true
  }

  /** What was taken, and not looked at. */
  putBack(suspicion: Suspicion, dueAtMs: number): void {
    for (const spender of suspicion.spenders) this.#keys.add(keyOfSpender(spender))
    this.#parts.push({ ...suspicion, dueAtMs })
  }

  /** The one that has been due for the longest time, which is none any more. */
  take(nowMs: number): Suspicion | undefined {
    const due = this.#parts.filter(({ dueAtMs }) => dueAtMs <= nowMs).sort((one, other) => one.dueAtMs - other.dueAtMs)
    const [first] = due
    if (first === undefined) return undefined
    this.#parts = this.#parts.filter(part => part !== first)
    for (const spender of first.spenders) this.#keys.delete(keyOfSpender(spender))
    return first
  }
}
