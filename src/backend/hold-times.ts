import type { EndpointName } from '../schemas/config/models.ts'

/** What the last place counts for in the mean time that one is held. */
const lastWeight = 0.2
/** Before any was held for a whole answer: nobody knows. */
const assumedMs = 1000

/**
 * How long places on one server are held, by endpoint: an embedding says nothing of how long a chat takes. By exponentially
 * weighted moving averages, in milliseconds.
 */
export class HoldTimes {
  readonly #held = new Map<EndpointName, number>()
  readonly #means = new Map<EndpointName, number>()

  taken(endpoint: EndpointName): void {
    this.#held.set(endpoint, (this.#held.get(endpoint) ?? 0) + 1)
  }

  /** `servedMs`: how long it was held for a whole answer; null where there was none, which says nothing of others. */
  released(endpoint: EndpointName, servedMs: number | null): void {
    this.#held.set(endpoint, (this.#held.get(endpoint) ?? 0) - 1)
    if (servedMs === null) return
    const mean = this.#means.get(endpoint) ?? servedMs
    this.#means.set(endpoint, mean + lastWeight * (servedMs - mean))
  }

  /** Of those that are held now; where there is none, of one for this endpoint. */
  meanMs(endpoint: EndpointName): number {
    let count = 0
    let sumMs = 0
    for (const [each, held] of this.#held) {
      count += held
      sumMs += held * this.#meanOf(each)
    }
    return count === 0 ? this.#meanOf(endpoint) : sumMs / count
  }

  #meanOf(endpoint: EndpointName): number {
    return this.#means.get(endpoint) ?? assumedMs
  }
}
