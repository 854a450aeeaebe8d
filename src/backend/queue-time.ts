import type { CallTrace, Step } from '../traces/request-trace.ts'
import type { Call, CallRecord } from './call.ts'

/** How long a call has waited for places, all of its waits together, and how long it still may; in milliseconds. */
export class QueueTime {
  readonly #record: CallRecord
  readonly #trace: CallTrace | null
  #step: Step | null = null
  #leftMs: number
  #sinceMs: number | null = null

  constructor({ record, caller, trace }: Call) {
    this.#record = record
    this.#trace = trace
    this.#leftMs = caller.queueWaitMs
  }

  get leftMs(): number {
    return this.#leftMs
  }

  /** It waits from now on. */
  begin(): void {
    this.#sinceMs = performance.now()
    if (this.#trace !== null) this.#step = this.#trace.begin('queue')
  }

  /** Whatever came of it, its caller has waited. Without effect while it does not wait. */
  end(): void {
    if (this.#sinceMs === null) return
    const waitedMs = performance.now() - this.#sinceMs
    this.#sinceMs = null
    this.#step?.end()
    this.#step = null
    this.#leftMs -= waitedMs
    this.#record.queueMs += waitedMs
  }

  /** It may wait no longer, whatever the clock says. */
  exhaust(): void {
    this.#leftMs = 0
  }
}
