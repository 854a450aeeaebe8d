const retryAfterMs = 200

export interface WriteBlockageOptions {
  /** Whether it is worth trying. */
  readonly mayWork: () => Promise<boolean>
  /** Time to try: what is waiting is written, and `lift` called if that works. */
  readonly retry: () => void
  /** Called when writing has stopped working and when it works again. */
  readonly onChange: () => void
}

/** Writing does not work for now: since when, why, and when it is tried again. */
export class WriteBlockage {
  readonly #options: WriteBlockageOptions
  readonly #first = Promise.withResolvers<void>()
  #reason: string | null = null
  #timer: NodeJS.Timeout | null = null
  #isStopped = false

  constructor(options: WriteBlockageOptions) {
    this.#options = options
  }

  /** Null while writing works. */
  get reason(): string | null {
    return this.#reason
  }

  /** Nothing should be tried at the moment. */
  get isPausing(): boolean {
    return this.#timer !== null
  }

  /** Resolves the first time that writing fails. */
  get first(): Promise<void> {
    return this.#first.promise
  }

  block(error: unknown): void {
    this.#reason = error instanceof Error ? error.message : String(error)
    this.#first.resolve()
    this.#pause()
    this.#options.onChange()
  }

  lift(): void {
    if (this.#reason === null) return
    this.#reason = null
    this.#options.onChange()
  }

  stop(): void {
    this.#isStopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #pause(): void {
    if (!this.#isStopped) this.#timer ??= setTimeout(() => void this.#end(), retryAfterMs)
  }

  async #end(): Promise<void> {
    const mayWork = await this.#options.mayWork()
    if (this.#isStopped) return
    this.#timer = null
    if (!mayWork) return this.#pause()
    this.#options.retry()
  }
}
