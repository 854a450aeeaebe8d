import type { Place } from '../domain/limit-share.ts'

/** A replica that was not heard of for a moment, as after a freeze of Redis, is not taken for gone at once. */
const believeMs = 6000

/** This replica's place among the live ones, as last known. Fewer replicas mean larger parts, so that is believed late. */
export class LivePlace {
  #place: Place
  /** Whether Redis has ever said it. */
  #isKnown = false
  #confirmedMs = 0

  constructor(assumedReplicas: number) {
    // Which of them this one is nobody knows: the last place has the smallest part.
    this.#place = { rank: assumedReplicas - 1, count: assumedReplicas }
  }

  get current(): Place {
    return this.#place
  }

  note(place: Place, nowMs: number): void {
    const isFewer = this.#isKnown && place.count < this.#place.count
    if (isFewer && nowMs - this.#confirmedMs < believeMs) return
    this.#confirmedMs = nowMs
    this.#isKnown = true
    if (place.rank !== this.#place.rank || place.count !== this.#place.count) this.#place = place
  }
}
