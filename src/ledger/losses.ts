const sayEveryMs = 10_000

/** Events that could not be kept: each is told of, but many at once together. */
export class Losses {
  readonly #say: (lastId: string, events: number) => void
  #untold = 0
  #lastId = ''
  #timer: NodeJS.Timeout | null = null

  /** `say` is told of the first at once, and of those that come within 10 s after it together. */
  constructor(say: (lastId: string, events: number) => void) {
    this.#say = say
  }

  lost({ id }: { readonly id: string }): void {
    this.#untold += 1
    this.#lastId = id
    if (this.#timer === null) this.#tell()
  }

  /** Says what has not been said. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#untold > 0) this.#say(this.#lastId, this.#untold)
    this.#untold = 0
  }

  #tell(): void {
    this.#say(this.#lastId, this.#untold)
    this.#untold = 0
    this.#timer = setTimeout(() => {
      this.#timer = null
      if (this.#untold > 0) this.#tell()
    }, sayEveryMs)
    this.#timer.unref()
  }
}
