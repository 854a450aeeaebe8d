import type { Engine } from './engine.ts'

/** Before llama-server has said how many requests it runs, one is never too many. */
const cautiousSlots = 1
/** After it was away, until it has its whole share again; and with how much it begins. */
const slowStartMs = 20_000
const leastShare = 0.1
/** How long one that has turned a call away is passed over, whatever it said. */
const leastAwayMs = 1000
const mostAwayMs = 30_000

/**
 * What has been learned of one server. It is the server's, not of one configuration: after a reload all objects that stand for
 * the server share it, also the one that finishes what began before.
 */
export class Standing {
  /** What kind of server it is; null while nobody knows. */
  engine: Engine | null
  readonly #nowMs: () => number
  #slots: number | null = null
  /** Asked for its slots it has answered, if only that it does not say. */
  #hasSaidSlots = false
  #seemsUp = true
  /** When it came back, on the monotonic clock; null where it was never away. */
  #backMs: number | null = null
  #inFlight = 0
  /** When the last request that has ended did so, on the monotonic clock. */
  #lastEndMs = Number.NEGATIVE_INFINITY
  /** On the monotonic clock. */
  #awayUntilMs = 0

  /** `nowMs`: a monotonic clock. */
  constructor(engine: Engine | null, nowMs: () => number = () => performance.now()) {
    this.engine = engine
    this.#nowMs = nowMs
  }

  /** Requests it runs at once, by its own words; null where it has said nothing of it. */
  get slots(): number | null {
    return this.#slots
  }

  /** The most that it may be given at once where nothing is configured; null where there is no bound. */
  get bound(): number | null {
    if (this.#slots !== null) return this.#slots
    const mayTell = this.engine === null || this.engine.name === 'llama-server'
    return mayTell && !this.#hasSaidSlots ? cautiousSlots : null
  }

  /** It was asked and has answered. Where it tells no number now, such as behind another key, it has those it had. */
  saidSlots(slots: number | null): void {
    this.#hasSaidSlots = true
    this.#slots = slots ?? this.#slots
  }

  /** Whether there was a request under way at some time since then, by whichever configuration. */
  wasBusySince(ms: number): boolean {
    return this.#inFlight > 0 || this.#lastEndMs >= ms
  }

  /** One more is under way; what is returned ends that, once. */
  enter(): () => void {
    this.#inFlight++
    let isUnderWay = true
    return () => {
      if (!isUnderWay) return
      isUnderWay = false
      this.#inFlight--
      this.#lastEndMs = this.#nowMs()
    }
  }

  /** By its probes. One that is busy answers them late, so this only says who is asked first. */
  get seemsUp(): boolean {
    return this.#seemsUp
  }

  /** It is too busy or still loads: it has said so to a call, not long ago. */
  get turnsAway(): boolean {
    return this.#nowMs() < this.#awayUntilMs
  }

  /** Whether calls should rather go there than where it does not hold. */
  get isWilling(): boolean {
    return this.#seemsUp && !this.turnsAway
  }

  /** It turned a call away and said when to come again, in milliseconds. */
  turnedAway(retryAfterMs: number): void {
    const untilMs = this.#nowMs() + Math.min(mostAwayMs, Math.max(leastAwayMs, retryAfterMs))
    this.#awayUntilMs = Math.max(this.#awayUntilMs, untilMs)
  }

  /** What a probe has found. */
  seems(up: boolean): void {
    if (up && !this.#seemsUp) {
      this.#awayUntilMs = 0
      this.cameBack()
    }
    this.#seemsUp = up
  }

  /** It takes requests again: it begins slowly. */
  cameBack(): void {
    this.#backMs = this.#nowMs()
  }

  /** The part of its weight that counts: one that has come back has its caches to fill, and may go again. */
  get share(): number {
    if (this.#backMs === null) return 1
    const share = (this.#nowMs() - this.#backMs) / slowStartMs
    if (share >= 1) this.#backMs = null
    return Math.min(1, Math.max(leastShare, share))
  }
}
