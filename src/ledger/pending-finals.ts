import type { AppendResult } from './write-queue.ts'

/** Finals that are on their way to the disk: as many as the writer holds. */
export class PendingFinals {
  readonly #results = new Set<Promise<AppendResult>>()

  add(result: Promise<AppendResult>): Promise<AppendResult> {
    this.#results.add(result)
    void result.then(() => this.#results.delete(result))
    return result
  }

  /** Waits for those that there are now; whether all of them are written. */
  async settled(): Promise<boolean> {
    return !(await Promise.all(this.#results)).includes('full')
  }
}
