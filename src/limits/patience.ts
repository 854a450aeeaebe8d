/** How long Redis may be silent, whoever it was to answer. */
const silenceMs = 40
/** The same where this process was held up: then Redis may be as well, and lives. */
const heldUpSilenceMs = 250
/** A timer that ends this much too late says so. */
const lateMs = 10
/** The longest in any case. */
const mostMs = 500

/** One that waits. */
interface Wait {
  readonly sentMs: number
  readonly reject: (error: Error) => void
  timer: NodeJS.Timeout | undefined
  silenceMs: number
}

/**
 * How long to wait for an answer: until Redis has said nothing for 40 ms. Where it answers others, or where this process
 * could not look for a while, the answer may be on its way, and to give up would be to take a machine with too much to do for
 * a Redis that is gone.
 */
export class Patience {
  readonly #waits = new Set<Wait>()
  #heardMs = Number.NEGATIVE_INFINITY

  /** The answer, or a rejection. */
  wait<Value>(answer: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const wait: Wait = { sentMs: performance.now(), reject, timer: undefined, silenceMs }
      this.#waits.add(wait)
      this.#arm(wait, wait.sentMs + silenceMs)
      answer.then(
        value => {
          this.#heardMs = performance.now()
          this.#end(wait)
          resolve(value)
        },
        error => {
          this.#end(wait)
          reject(error)
        },
      )
    })
  }

  /** Redis is known to be away: nobody waits any more. */
  giveUp(): void {
    for (const wait of this.#waits) this.#reject(wait)
  }

  #arm(wait: Wait, dueMs: number): void {
    const onTime = () => {
      if (performance.now() - dueMs > lateMs) wait.silenceMs = heldUpSilenceMs
      // What has come in the meantime is read before this.
      setImmediate(() => {
        if (this.#waits.has(wait)) this.#judge(wait)
      })
    }
    wait.timer = setTimeout(onTime, Math.max(1, dueMs - performance.now()))
  }

  #judge(wait: Wait): void {
    const nowMs = performance.now()
    const dueMs = Math.max(wait.sentMs, this.#heardMs) + wait.silenceMs
    if (dueMs > nowMs && nowMs - wait.sentMs < mostMs) this.#arm(wait, dueMs)
    else this.#reject(wait)
  }

  #reject(wait: Wait): void {
    this.#end(wait)
    wait.reject(new Error(`Redis has not answered for ${Math.round(performance.now() - wait.sentMs)} ms`))
  }

  #end(wait: Wait): void {
    this.#waits.delete(wait)
    clearTimeout(wait.timer)
  }
}
