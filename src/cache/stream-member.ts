import { type Call, faultContext } from '../backend/call.ts'
import { ClientStream } from '../backend/client-stream.ts'
import { Fault, isLeaving, toStreamError, toWeirError } from '../backend/fault.ts'
import type { StreamReply } from '../backend/stream-answer.ts'
import type { EventLog } from './event-log.ts'
import { type Member, reusedPieces, type WholeAnswer } from './member.ts'
import { EventWriter } from './replay.ts'

/** Written at once, in characters, so that whoever comes late to a long answer does not have all of it in its socket. */
const runLength = 64 * 1024

export interface StreamMemberOptions {
  readonly call: Call
  readonly reply: StreamReply
  readonly log: EventLog
  readonly priceShare: number
  readonly onLeave: (member: Member, fault: Fault) => void
  /** It has become slow, or has caught up. */
  readonly onPressure: () => void
}

/** Is given the events as they come, from the first one on, at its own pace. */
export class StreamMember implements Member {
  readonly call: Call
  readonly outcome: Promise<'again' | null>
  readonly #options: StreamMemberOptions
  readonly #client: ClientStream
  readonly #writer: EventWriter
  readonly #settle: { readonly resolve: (outcome: 'again' | null) => void; readonly reject: (error: Error) => void }
  #position = 0
  #isSlow = false
  #isShown = false
  #end: { readonly whole: WholeAnswer; readonly isPayer: boolean } | null = null
  #isOver = false

  constructor(options: StreamMemberOptions) {
    const { call, reply, onLeave, onPressure } = options
    this.call = call
    this.#options = options
    this.#writer = new EventWriter(call)
    const { promise, resolve, reject } = Promise.withResolvers<'again' | null>()
    this.outcome = promise
    this.#settle = { resolve, reject }
    this.#client = new ClientStream(reply.raw, reply.headers, reply.times, {
      onCommit: reply.onCommit,
      onPressure: slow => {
        this.#isSlow = slow
        if (this.#isOver) return
        onPressure()
        if (!slow) this.advance()
      },
      onStall: () => this.#stalled(),
    })
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) onLeave(this, new Fault('client-gone', 'the caller left'))
    })
  }

  get isShown(): boolean {
    return this.#isShown
  }

  get isSlow(): boolean {
    return this.#isSlow
  }

  get position(): number {
    return this.#position
  }

  advance(): void {
    const { log } = this.#options
    while (!this.#isSlow && !this.#isOver && this.#position < log.end) this.#writeRun()
    if (this.#end !== null && this.#position >= log.end && !this.#isSlow) this.#writeEnd(this.#end)
  }

  restart(): void {
    this.#position = 0
  }

  finish(whole: WholeAnswer, isPayer: boolean): void {
    this.#end = { whole, isPayer }
    this.advance()
  }

  fail(fault: Fault): void {
    if (this.#isOver) return
    this.#isOver = true
    const { call } = this
    call.record.fault ??= fault
    this.#noteGiven()
    if (isLeaving(fault.kind)) {
      this.#options.reply.raw.destroy()
      this.#settle.resolve(null)
    } else if (this.#client.isCommitted) {
      this.#client.fail(toStreamError(fault, faultContext(call)))
      this.#settle.resolve(null)
    } else {
      this.#client.release()
      this.#settle.reject(toWeirError(fault, faultContext(call)))
    }
  }

  tryAgain(fault: Fault): void {
    // Its 200 is out, and another stream would begin with one.
    if (this.#client.isCommitted) {
      this.fail(fault)
      return
    }
    this.#isOver = true
    this.#client.release()
    this.#settle.resolve('again')
  }

  #writeRun(): void {
    const { log } = this.#options
    let text = ''
    while (text.length < runLength) {
      const tail = log.at(this.#position)
      if (tail === undefined) break
      text += this.#writer.frame(tail)
      this.#position++
    }
    this.#isShown = true
    this.call.record.firstContentAt ??= performance.now()
    this.#client.write(Buffer.from(text))
  }

  #writeEnd({ whole: { usage } }: { readonly whole: WholeAnswer }): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#client.write(Buffer.from(this.#writer.last(usage, this.#options.reply.cost())))
    this.#client.end()
    this.#settle.resolve(null)
  }

  /** The payer's record says it already. */
  #noteGiven(): void {
    const { record } = this.call
    if (this.#isShown && record.dispatch === undefined && record.reused === undefined)
      record.reused = reusedPieces(this.#position, this.#options.priceShare)
  }

  #stalled(): void {
    const fault = new Fault('client-stall', 'the caller does not read')
    if (!this.#isOver) {
      this.#options.onLeave(this, fault)
      return
    }
    // All is written, and its last part is not taken.
    this.call.record.fault ??= fault
    this.#options.reply.raw.destroy()
  }
}
