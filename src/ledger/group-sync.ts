/** Timers come late by a millisecond or two; what is lost with the power is 10 ms at most where the disk keeps up. */
const syncAfterMs = 8

/** One fsync for all that is written within some milliseconds, and the next one only when it has ended. */
export class GroupSync {
  readonly #sync: () => Promise<void>
  #timer: NodeJS.Timeout | undefined
  #isSyncing = false
  #isWanted = false
  #isStopped = false

  /** `sync` never rejects. */
  constructor(sync: () => Promise<void>) {
    this.#sync = sync
  }

  soon(): void {
    this.#isWanted = true
    if (this.#isSyncing || this.#isStopped) return
    this.#timer ??= setTimeout(() => void this.#run(), syncAfterMs)
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  async #run(): Promise<void> {
    this.#timer = undefined
    this.#isWanted = false
    this.#isSyncing = true
    await this.#sync()
    this.#isSyncing = false
    if (this.#isWanted) this.soon()
  }
}
