import type { AttemptSink } from './attempt.ts'
import type { Fault } from './fault.ts'
import type { Reception } from './reception.ts'

export interface AttemptListener {
  readonly onSent: () => void
  /** The first content is there. */
  readonly onContent: () => void
  /** All that is wanted has come; may be told again. */
  readonly onDone: () => void
  readonly onFault: (fault: Fault) => void
}

/** Puts what an attempt receives into its reception, and tells what has become of it. */
export function receiveInto(reception: Reception, listener: AttemptListener): AttemptSink {
  let hasContent = false
  return {
    onSent: listener.onSent,
    onData: chunk => {
      const isProgress = reception.onData(chunk)
      if (!hasContent && reception.hasContent) {
        hasContent = true
        listener.onContent()
      }
      if (reception.isDone) listener.onDone()
      return isProgress
    },
    onEnd: () => {
      reception.onEnd()
      listener.onDone()
    },
    onFault: listener.onFault,
  }
}
