/** A write as long would be felt by every stream of the process. */
const slowWriteMs = 20
/** A healthy disk takes a few. */
const slowSyncMs = 100
const calmAfterMs = 1000

/** Whether the disk keeps up, by how long what it was told to do has taken in the last second. */
export class DiskPace {
  #slowUntilMs = Number.NEGATIVE_INFINITY
  #syncSinceMs: number | null = null

  get isSlow(): boolean {
    const nowMs = performance.now()
    if (this.#syncSinceMs !== null) this.#judge(nowMs - this.#syncSinceMs > slowSyncMs)
    return nowMs < this.#slowUntilMs
  }

  async write(writing: () => Promise<void>): Promise<void> {
    const startMs = performance.now()
    await writing()
    this.#judge(performance.now() - startMs > slowWriteMs)
  }

  /** One at a time. */
  async sync(syncing: Promise<void>): Promise<void> {
    const startMs = performance.now()
    this.#syncSinceMs = startMs
    await syncing
    this.#syncSinceMs = null
    this.#judge(performance.now() - startMs > slowSyncMs)
  }

  #judge(isSlow: boolean): void {
    if (isSlow) this.#slowUntilMs = performance.now() + calmAfterMs
  }
}
