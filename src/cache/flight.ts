import type { ServerResponse } from 'node:http'
import type { Call, Route } from '../backend/call.ts'
import { type Collector, collect, collectsEvents } from '../backend/collect-answer.ts'
import { deadlinePassed, Fault, isLeaving, isOfOneCaller } from '../backend/fault.ts'
import type { Receiver, Reception } from '../backend/reception.ts'
import type { Run } from '../backend/run.ts'
import type { StreamReply } from '../backend/stream-answer.ts'
import { eventsOf } from '../domain/answer-events.ts'
import { EventLog } from './event-log.ts'
import { EventReception } from './event-reception.ts'
import type { Member, WholeAnswer } from './member.ts'
import { tailOf } from './replay.ts'
import { handOver, noteLeft, shareCall } from './shared-call.ts'
import { StreamMember } from './stream-member.ts'
import { WholeMember } from './whole-member.ts'

export interface FlightOptions {
  /** Of whoever comes first: by its priority the backend is asked, and by the time of whoever has most. */
  readonly leader: Call
  readonly run: (call: Call, receiver: Receiver) => Run
  /** Of events that are kept for those who come late or read slowly. */
  readonly maxLength: number
  readonly maxMembers: number
  /** What others than the payer pay. */
  readonly priceShare: number
  /** Nobody can join any more. */
  readonly onClosed: () => void
}

/**
 * One call to a backend for all who ask for the same at the same time. One of them is the payer: what the backend does is on its
 * record. Whoever leaves changes nothing for the others; where the payer leaves, the next one becomes it.
 */
export class Flight {
  /** The whole answer, once it is there; null where none came. */
  readonly landed: Promise<WholeAnswer | null>
  readonly #land: (whole: WholeAnswer | null) => void
  readonly #options: FlightOptions
  readonly #members = new Set<Member>()
  readonly #timers = new Map<Member, NodeJS.Timeout>()
  readonly #log = new EventLog()
  readonly #run: Run
  #payer: Member | null = null
  #reception: EventReception | Collector | null = null
  #state: 'open' | 'closed' | 'over' = 'open'
  #isPaused = false
  /** The latest deadline of those who have joined. */
  #untilMs: number
  /** Why the last one has left. */
  #last: Fault | null = null

  constructor(options: FlightOptions) {
    this.#options = options
    this.#untilMs = options.leader.caller.deadlineMs
    const { promise, resolve } = Promise.withResolvers<WholeAnswer | null>()
    this.landed = promise
    this.#land = resolve
    const payer = () => this.#payer?.call.record ?? options.leader.record
    this.#run = options.run(
      shareCall(options.leader, payer, () => this.#untilMs),
      this.#buildReceiver(),
    )
  }

  get isOpen(): boolean {
    return this.#state === 'open' && this.#members.size < this.#options.maxMembers
  }

  joinWhole(call: Call, raw: ServerResponse): WholeMember {
    return this.#join(new WholeMember(call, raw, (member, fault) => this.#leave(member, fault)), raw)
  }

  joinStream(call: Call, reply: StreamReply): StreamMember {
    const { priceShare } = this.#options
    const onLeave = (member: Member, fault: Fault) => this.#leave(member, fault)
    const onPressure = () => this.#adjust()
    return this.#join(new StreamMember({ call, reply, log: this.#log, priceShare, onLeave, onPressure }), reply.raw)
  }

  /** Once somebody has joined. */
  start(): void {
    this.#run.start()
  }

  #join<Joining extends Member>(member: Joining, raw: ServerResponse): Joining {
    this.#members.add(member)
    this.#payer ??= member
    const { deadlineMs } = member.call.caller
    this.#untilMs = Math.max(this.#untilMs, deadlineMs)
    const timer = setTimeout(() => this.#timeIsUp(member), Math.max(0, deadlineMs - performance.now()))
    this.#timers.set(member, timer)
    this.#adjust()
    if (this.#reception?.hasContent === true) this.#advance(member)
    if (raw.destroyed) this.#leave(member, new Fault('client-gone', 'the caller left'))
    return member
  }

  /** Where nobody else waits, the call's own clock says so. */
  #timeIsUp(member: Member): void {
    if (this.#members.size > 1 || member.call.caller.deadlineMs < this.#untilMs) this.#leave(member, deadlinePassed())
  }

  #advance(member: Member): void {
    this.#noteGiver(member)
    member.advance()
  }

  #noteGiver({ call }: Member): void {
    const { model = null } = this.#payer?.call.record ?? {}
    if (model !== null && call !== this.#payer?.call) call.record.givenBy = model
  }

  #buildReceiver(): Receiver {
    const { leader } = this.#options
    const isShown = () => [...this.#members].some(member => member.isShown)
    return {
      get relays() {
        return isShown()
      },
      wantsStream: engine => leader.stream || collectsEvents(leader, engine),
      begin: route => this.#begin(route),
      end: fault => this.#end(fault),
    }
  }

  #begin(route: Route): Reception {
    const { leader } = this.#options
    this.#log.clear()
    for (const member of this.#members) member.restart()
    const relayed = leader.stream || collectsEvents(leader, route.engine)
    this.#reception = relayed
      ? new EventReception(leader, route.engine, tail => this.#take(tail))
      : collect(leader, route)
    return this.#reception
  }

  #take(tail: string): void {
    this.#log.add(tail)
    if (this.#reception?.hasContent !== true) return
    for (const member of this.#members) this.#advance(member)
    if (this.#log.length > this.#options.maxLength) this.#bound()
  }

  /** What nobody needs any more goes; then whoever is furthest behind, unless all are. */
  #bound(): void {
    this.#close()
    const streams = () => [...this.#members].filter(({ position }) => position !== null)
    const behind = () => streams().sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
    this.#log.dropBefore(behind()[0]?.position ?? this.#log.end)
    while (this.#log.length > this.#options.maxLength && this.#members.size > 1) {
      const [slowest] = behind()
      if (slowest === undefined) break
      this.#leave(slowest, new Fault('client-stall', 'the caller reads slower than all others'))
      this.#log.dropBefore(behind()[0]?.position ?? this.#log.end)
    }
  }

  #leave(member: Member, fault: Fault): void {
    if (!this.#members.has(member)) return
    if (this.#members.size === 1 && this.#state !== 'over') {
      this.#stop(fault)
      return
    }
    this.#remove(member)
    const [next] = this.#members
    if (member === this.#payer && this.#state !== 'over' && next !== undefined) {
      handOver(member.call.record, next.call.record)
      this.#payer = next
    }
    member.fail(fault)
    this.#adjust()
  }

  /** Whoever is left goes as well: nobody waits for the call any more. */
  #stop(fault: Fault): void {
    this.#close()
    this.#last = fault
    // Whatever it was, it is nothing that the backend has to do with or another one could do better.
    this.#run.stop(isLeaving(fault.kind) ? fault : new Fault('client-gone', 'nobody waits any more'))
  }

  #remove(member: Member): void {
    this.#members.delete(member)
    clearTimeout(this.#timers.get(member))
    this.#timers.delete(member)
  }

  /** The backend waits only where nobody reads on. */
  #adjust(): void {
    const isPaused = this.#members.size > 0 && [...this.#members].every(member => member.isSlow)
    if (isPaused === this.#isPaused || this.#state === 'over') return
    this.#isPaused = isPaused
    if (isPaused) this.#run.pause()
    else this.#run.resume()
  }

  #close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#options.onClosed()
  }

  #end(fault: Fault | null): void {
    this.#close()
    this.#state = 'over'
    for (const timer of this.#timers.values()) clearTimeout(timer)
    if (fault !== null) {
      this.#failed(fault)
      return
    }
    // Not within the end of the call, whose attempt would take a mistake in it for one of the backend's.
    Promise.resolve()
      .then(() => this.#succeeded())
      .catch((cause: unknown) => this.#failed(new Fault('internal', 'the answer could not be given on', { cause })))
  }

  #succeeded(): void {
    const { leader, priceShare } = this.#options
    const { usage = null, model = null } = this.#payer?.call.record ?? {}
    const whole = { answer: this.#reception?.answer ?? {}, usage, answeredBy: model?.id ?? null }
    if (this.#log.end === 0 && leader.operation !== 'embeddings') {
      for (const event of eventsOf(leader.operation, whole.answer)) this.#log.add(tailOf(event))
    }
    this.#land(whole)
    for (const member of this.#members) {
      const isPayer = member === this.#payer
      this.#noteGiver(member)
      if (!isPayer) member.call.record.reused = { usage: usage ?? nothingUsed, priceShare }
      member.finish(whole, isPayer)
    }
  }

  #failed(fault: Fault): void {
    this.#land(null)
    const isOwn = isOfOneCaller(fault)
    for (const member of this.#members) {
      const { record } = member.call
      if (member === this.#payer && this.#last !== null) noteLeft(record, this.#last)
      // Who pays for another one that has left is told nothing of that one's time either.
      const isOthers = isOwn && this.#last === null && record !== this.#options.leader.record
      if (isOthers && !member.isShown) {
        record.fault = null
        member.tryAgain(fault)
      } else member.fail(this.#last ?? fault)
    }
  }
}

const nothingUsed = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: null }
