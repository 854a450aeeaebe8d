import type { Json } from '../domain/chat-event.ts'

const finishReason = /"finish_reason":\s*"/
const maxRecent = 4

/**
 * Knows whether the choices of a stream have ended. Of frames that pass unparsed the last few chunks are kept by reference
 * and looked at only at the end: usage and comments may come between the finish reason and `[DONE]`, but no more text.
 * Such frames belong to a stream of one choice. With several every event is parsed, and each choice that began must end.
 */
export class StreamEndings {
  readonly #open = new Set<unknown>()
  readonly #ended = new Set<unknown>()
  #recent: Buffer[] = []

  /** Frames that pass unparsed. */
  passed(frames: Buffer): void {
    if (this.#recent.at(-1) === frames) return
    if (this.#recent.length === maxRecent) this.#recent.shift()
    this.#recent.push(frames)
  }

  parsed(choices: readonly Json[]): void {
    for (const { index = 0, finish_reason: reason } of choices) {
      if (typeof reason === 'string') {
        this.#ended.add(index)
        this.#open.delete(index)
      } else if (!this.#ended.has(index)) this.#open.add(index)
    }
  }

  get areComplete(): boolean {
    return this.#open.size === 0 || this.hasPassedEnd
  }

  /** Whether one of the frames that passed unparsed was the end of its choice. */
  get hasPassedEnd(): boolean {
    return this.#recent.some(frames => finishReason.test(frames.toString('latin1')))
  }
}
