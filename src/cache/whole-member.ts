import type { ServerResponse } from 'node:http'
import { type Call, faultContext } from '../backend/call.ts'
import { answerFor } from '../backend/collect-answer.ts'
import { envelope } from '../backend/envelope.ts'
import { Fault, isLeaving, toWeirError } from '../backend/fault.ts'
import type { Json } from '../domain/chat-event.ts'
import type { Member, WholeAnswer } from './member.ts'

/** `again`: nothing was given, and it is to try by itself; null where the caller left. */
export type WholeOutcome = WholeGiven | 'again' | null

interface WholeGiven extends Pick<WholeAnswer, 'answeredBy'> {
  readonly body: Json
  readonly wasPayer: boolean
}

/** Waits for the whole answer. */
export class WholeMember implements Member {
  readonly call: Call
  readonly isShown = false
  readonly isSlow = false
  readonly position = null
  readonly outcome: Promise<WholeOutcome>
  readonly #resolve: (outcome: WholeOutcome) => void
  readonly #reject: (error: Error) => void

  constructor(call: Call, raw: ServerResponse, onLeave: (member: Member, fault: Fault) => void) {
    this.call = call
    const { promise, resolve, reject } = Promise.withResolvers<WholeOutcome>()
    this.outcome = promise
    this.#resolve = resolve
    this.#reject = reject
    raw.once('close', () => {
      if (!raw.writableFinished) onLeave(this, new Fault('client-gone', 'the caller left'))
    })
  }

  advance(): void {}

  restart(): void {}

  finish({ answer, usage, answeredBy }: WholeAnswer, isPayer: boolean): void {
    const { call } = this
    if (!isPayer) call.record.firstContentAt ??= performance.now()
    // Each has an id of its own; the payer's is the backend's.
    const own = isPayer ? answer : { ...answer, ...envelope(call) }
    this.#resolve({ body: answerFor(call, own, usage), answeredBy, wasPayer: isPayer })
  }

  fail(fault: Fault): void {
    const { record } = this.call
    record.fault ??= fault
    // Of what the backend had begun its caller is given nothing but the error.
    record.firstContentAt = isLeaving(fault.kind) ? record.firstContentAt : null
    if (isLeaving(fault.kind)) this.#resolve(null)
    else this.#reject(toWeirError(fault, faultContext(this.call)))
  }

  tryAgain(): void {
    this.#resolve('again')
  }
}
