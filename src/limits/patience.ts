/** The longest that a request waits for Redis when it is silent. */
const silenceMs = 40
/** The longest in any case. */
const mostMs = 500
/** A timer that ends this much too late says that this process was held up, and not Redis. */
const heldUpMs = 10

/**
 * How long to wait for an answer: until Redis has said nothing for 40 ms, whoever it was to answer. Where it answers others,
 * or where this process could not look for a while, the answer may be on its way, and to give up would be to take a machine
 * with too much to do for a Redis that is gone.
 */
export class Patience {
  #heardMs = Number.NEGATIVE_INFINITY

  /** The answer, or a rejection. */
  wait<Value>(answer: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const sentMs = performance.now()
      let isOver = false
      let timer: NodeJS.Timeout
      const arm = (dueMs: number) => {
        timer = setTimeout(
          () => {
            const isHeldUp = performance.now() - dueMs > heldUpMs
            // What has come in the meantime is read before this.
            setImmediate(() => {
              if (!isOver) judge(isHeldUp)
            })
          },
          Math.max(1, dueMs - performance.now()),
        )
      }
      const judge = (isHeldUp: boolean) => {
        const nowMs = performance.now()
        const dueMs = isHeldUp ? nowMs + silenceMs : Math.max(sentMs, this.#heardMs) + silenceMs
        if (dueMs > nowMs && nowMs - sentMs < mostMs) arm(dueMs)
        else reject(new Error(`Redis has not answered for ${Math.round(nowMs - sentMs)} ms`))
      }
      const end = () => {
        isOver = true
        this.#heardMs = performance.now()
        clearTimeout(timer)
      }
      arm(sentMs + silenceMs)
      answer.then(
        value => {
          end()
          resolve(value)
        },
        error => {
          isOver = true
          clearTimeout(timer)
          reject(error)
        },
      )
    })
  }
}
