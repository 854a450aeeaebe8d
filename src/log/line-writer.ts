import { write, writeSync } from 'node:fs'

export interface LineWriterOptions {
  readonly fd: number
  /** Told how many lines were given up, once others can be written again. */
  readonly onLost: (lines: number) => void
}

/** What waits is written when it is so much, or when `flush` is called. */
const batchBytes = 4096
/** Of lines that wait for a disk without room or for a reader that does not read: about 16,000. */
const maxWaitingBytes = 8 * 1024 * 1024
/** A pipe that is full is looked at again after so long. */
const fullMs = 20
/** The end of the process waits no longer for whoever reads. */
const maxLastWordsMs = 1000
const nothing = Buffer.alloc(0)

/**
 * Writes lines in batches, and never in the way of whoever logs. What cannot be written is tried again and not thrown: a log
 * is no reason to end. What waits is bounded; a line that finds no room is counted.
 */
export class LineWriter {
  readonly #options: LineWriterOptions
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** Is being written, or is to be tried again before all that waits. */
  #batch: Buffer = nothing
  #isWriting = false
  #hasFailed = false
  #lost = 0

  constructor(options: LineWriterOptions) {
    this.#options = options
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#waitingBytes + bytes.length > maxWaitingBytes) {
      this.#lost += 1
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes >= batchBytes && !this.#hasFailed) this.flush()
  }

  /** Begins to write what waits, unless something is being written. */
  flush(): void {
    if (this.#isWriting) return
    if (this.#batch.length === 0) this.#batch = this.#take()
    if (this.#batch.length === 0) return
    this.#isWriting = true
    write(this.#options.fd, this.#batch, (error, written) => {
      this.#isWriting = false
      this.#hasFailed = error !== null
      if (error === null) this.#wrote(written)
      else if (error.code === 'EAGAIN') setTimeout(() => this.flush(), fullMs).unref()
    })
  }

  /** Waits until all of it is written, for a second at the most: for the end of the process. */
  flushSync(): void {
    const untilMs = performance.now() + maxLastWordsMs
    // What is being written is not written twice.
    const first = this.#isWriting ? nothing : this.#batch
    if (!this.#isWriting) this.#batch = nothing
    let rest = Buffer.concat([first, this.#take()])
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(this.#options.fd, rest))
      } catch {
        if (performance.now() >= untilMs) break
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, fullMs)
      }
    }
    if (rest.length > 0) this.#waiting.unshift(rest)
    this.#waitingBytes += rest.length
  }

  #take(): Buffer {
    const taken = Buffer.concat(this.#waiting)
    this.#waiting = []
    this.#waitingBytes = 0
    return taken
  }

  #wrote(bytes: number): void {
    this.#batch = this.#batch.subarray(bytes)
    if (this.#batch.length > 0 || this.#waitingBytes >= batchBytes) this.flush()
    else if (this.#lost > 0) {
      const lost = this.#lost
      this.#lost = 0
      this.#options.onLost(lost)
    }
  }
}
