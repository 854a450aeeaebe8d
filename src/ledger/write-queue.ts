import type { Entry } from './segment.ts'

/** Whether a record is in the kernel's hands, or was not taken: then nothing of it is kept. */
export type AppendResult = 'written' | 'full'

export interface Waiting {
  readonly entry: Entry
  readonly settle: (result: AppendResult) => void
}

export interface Batch {
  readonly items: readonly Waiting[]
  /** They have been accepted before, and cannot be refused any more. */
  readonly isOwed: boolean
}

const maxBatchBytes = 1024 * 1024

/** What is to be written next: what is owed from before first, then what is new, each in its order. */
export class WriteQueue {
  #owed: Waiting[] = []
  #fresh: Waiting[] = []
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#owed.length + this.#fresh.length === 0
  }

  add(item: Waiting): void {
    this.#fresh.push(item)
    this.#bytes += item.entry.frame.length
  }

  owe(items: readonly Waiting[]): void {
    this.#owed.push(...items)
    for (const { entry } of items) this.#bytes += entry.frame.length
  }

  /** Takes out as much as is written at once; null where there is nothing. */
  take(): Batch | null {
    const isOwed = this.#owed.length > 0
    const source = isOwed ? this.#owed : this.#fresh
    let bytes = 0
    let count = 0
    for (const { entry } of source) {
      if (count > 0 && bytes + entry.frame.length > maxBatchBytes) break
      bytes += entry.frame.length
      count += 1
    }
    this.#bytes -= bytes
    return count === 0 ? null : { items: source.splice(0, count), isOwed }
  }

  putBack({ items, isOwed }: Batch): void {
    if (isOwed) this.#owed.unshift(...items)
    else this.#fresh.unshift(...items)
    for (const { entry } of items) this.#bytes += entry.frame.length
  }

  /** New intents are told that there is no room. */
  refuseIntents(): void {
    const refused = this.#fresh.filter(({ entry }) => entry.kind === 'intent')
    this.#fresh = this.#fresh.filter(({ entry }) => entry.kind !== 'intent')
    this.#end(refused, 'full')
  }

  refuseAll(): void {
    this.#end([...this.#owed.splice(0), ...this.#fresh.splice(0)], 'full')
  }

  /** What is owed and not needed any more. */
  forgive(isNeeded: (entry: Entry) => boolean): void {
    if (this.#owed.length === 0) return
    const forgiven = this.#owed.filter(({ entry }) => !isNeeded(entry))
    this.#owed = this.#owed.filter(({ entry }) => isNeeded(entry))
    this.#end(forgiven, 'written')
  }

  #end(items: readonly Waiting[], result: AppendResult): void {
    for (const { entry, settle } of items) {
      this.#bytes -= entry.frame.length
      settle(result)
    }
  }
}
