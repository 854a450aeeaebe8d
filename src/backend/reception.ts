import type { Usage } from '../domain/usage.ts'
import type { Route } from './call.ts'
import type { Engine } from './engine.ts'
import type { Fault } from './fault.ts'

/** What takes the answer of one attempt. */
export interface Reception {
  /** As AttemptSink has it: false where the bytes do not bring the answer on; may throw a Fault. */
  onData(chunk: Buffer): boolean
  /** May throw a Fault where the answer is not whole. */
  onEnd(): void
  /** Whether nothing more is needed. */
  readonly isDone: boolean
  /** Whether a part of the answer has come. */
  readonly hasContent: boolean
  readonly usage: Usage | null
  /** See CallRecord. */
  readonly pieces: number
}

/** What takes the answer of one call, whichever attempt it comes from. */
export interface Receiver {
  /** Whether the caller gets each part as it comes: then what has content is not tried again. */
  readonly relays: boolean
  /** Whether an engine of this kind is asked for a stream. */
  wantsStream(engine: Engine): boolean
  /** For a new attempt; whatever came of an earlier one is void. */
  begin(route: Route): Reception
  /** The call is over, well where there is no fault. Once. */
  end(fault: Fault | null): void
}
