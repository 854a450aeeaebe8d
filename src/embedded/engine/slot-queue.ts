/**
 * The slots of the engine and the line before them, first come first served. The binding has a queue of its own, but
 * one that does not say when a request leaves it; answering headers and freeing a place both need to know.
 */
export class SlotQueue {
  readonly total: number
  readonly #waiting: (() => void)[] = []
  #busy = 0

  constructor(total: number) {
    this.total = total
  }

  get busy(): number {
    return this.#busy
  }

  /** Runs the work in a slot; rejects with the signal's reason, without a slot, when it aborts in line. */
  async run<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    await this.#acquire(signal)
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      this.#release()
    }
  }

  #acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#busy < this.total) {
      this.#busy += 1
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.push(enter)
    })
  }

  #release(): void {
    // The slot goes from hand to hand: `busy` never dips, so nobody can slip in before who waits longest.
    const next = this.#waiting.shift()
    if (next === undefined) this.#busy -= 1
    else next()
  }
}
