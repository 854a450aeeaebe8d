import { LRUCache } from 'lru-cache'

const maxCallers = 10_000
const spentMs = 250

/**
 * Whose prompts have been counted in vain a moment ago, by the fingerprint of their limits: their next ones are not counted
 * at once, or to ask for too much would be a way to keep engines busy.
 */
export class Recounts {
  readonly #spent = new LRUCache<string, number>({ max: maxCallers })

  mayCount(fingerprint: string, nowMs: number): boolean {
    return nowMs - (this.#spent.get(fingerprint) ?? Number.NEGATIVE_INFINITY) >= spentMs
  }

  countedInVain(fingerprint: string, nowMs: number): void {
    this.#spent.set(fingerprint, nowMs)
  }
}
