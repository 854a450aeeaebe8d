/**
 * How many questions of callers the database is asked at once. It has few connections, and key look-ups and the ledger need
 * them as well: a caller who asks all the time must not keep others from being let in.
 */
import { WeirError } from '../errors.ts'

const mostInAll = 6
const mostOfAccount = 3
const retryAfterMs = 1000

export class QuestionGate {
  /** Of accounts that have any. */
  readonly #running = new Map<string, number>()

  /** Refuses what would be too much; nobody waits. */
  async ask<Answer>(accountId: string, question: () => Promise<Answer>): Promise<Answer> {
    const own = this.#running.get(accountId) ?? 0
    const all = this.#running.values().reduce((sum, count) => sum + count, 0)
    if (own >= mostOfAccount || all >= mostInAll) throw tooMany(own)
    this.#running.set(accountId, own + 1)
    try {
      return await question()
    } finally {
      const left = (this.#running.get(accountId) ?? 0) - 1
      if (left > 0) this.#running.set(accountId, left)
      else this.#running.delete(accountId)
    }
  }
}

function tooMany(own: number): WeirError {
  const whose = own >= mostOfAccount ? `${own} such questions of this account are` : 'too many such questions are'
  return new WeirError('overloaded', `At the moment ${whose} being answered. Ask one after the other.`, {
    retryAfterMs,
  })
}
