/** What the shared store has not taken yet and has to be told: settlements, and what was used without it. */
import { reasonOf } from '../log/describe-error.ts'

type Message = () => Promise<void>

const maxWaiting = 20_000
const batchSize = 200

/**
 * Bounded: what is dropped from it is a settlement, a hold that is never given back, so the account gets less than it has for
 * a while. What was used without Redis is never dropped before one of those, since then it would get more. Each message may
 * be sent twice, since one that failed may have arrived: they say things once only.
 */
export class Backlog {
  #waiting: Message[] = []
  #dropped = 0
  #isSending = false
  /** Why something could not be sent last; null once all was. */
  lastFailure: string | null = null

  get size(): number {
    return this.#waiting.length
  }

  /** How many were dropped so far. */
  get dropped(): number {
    return this.#dropped
  }

  /** Sends it now; keeps it where that fails. Never rejects. */
  send(message: Message): void {
    message().catch(error => {
      this.#note(error)
      this.keep(message)
    })
  }

  /** Before all others. */
  keepFirst(message: Message): void {
    if (this.#waiting.length >= maxWaiting) {
      this.#waiting.pop()
      this.#dropped++
    }
    this.#waiting.unshift(message)
  }

  keep(message: Message): void {
    if (this.#waiting.length < maxWaiting) this.#waiting.push(message)
    else this.#dropped++
  }

  /** Sends what waits, some at a time; ends at the first batch that fails. */
  async flush(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting.splice(0, batchSize)
        const results = await Promise.allSettled(batch.map(message => message()))
        const failed = batch.filter((_, index) => results[index]?.status === 'rejected')
        for (const message of failed) this.keep(message)
        for (const result of results) if (result.status === 'rejected') this.#note(result.reason)
        if (failed.length > 0) return
      }
      this.lastFailure = null
    } finally {
      this.#isSending = false
    }
  }

  #note(error: unknown): void {
    this.lastFailure = reasonOf(error)
  }
}
