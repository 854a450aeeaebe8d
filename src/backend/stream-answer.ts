import type { ServerResponse } from 'node:http'
import { UsageTally } from '../domain/usage.ts'
import type { WeirError } from '../errors.ts'
import { type Call, faultContext, noteEnd, type Route } from './call.ts'
import { ClientStream, type ClientStreamTimes } from './client-stream.ts'
import { Dispatch } from './dispatch.ts'
import { eventEnvelope } from './envelope.ts'
import { Failover } from './failover.ts'
import { Fault, toStreamError, toWeirError } from './fault.ts'
import type { Fleet } from './fleet.ts'
import type { Reception } from './reception.ts'
import { StreamRelay } from './stream-relay.ts'

export interface StreamReply {
  readonly raw: ServerResponse
  readonly headers: Record<string, string | string[]>
  readonly times: ClientStreamTimes
  /** From here on the reply is written by hand. */
  readonly onCommit: () => void
  /** What it has cost, asked for when nothing more is to come; null where that has no price. */
  readonly cost: () => string | null
}

/** A call that is being answered: what can end it from outside. */
export interface LiveCall {
  stop(fault: Fault): void
}

/**
 * Relays one streamed answer to the caller. Resolves when the stream is over, however it ended after its 200; rejects with
 * a WeirError while an ordinary error can still be sent. `live` holds the call while it runs.
 */
export function streamAnswer(call: Call, fleet: Fleet, reply: StreamReply, live: Set<LiveCall>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const { raw } = reply
  let isOver = false
  const client = new ClientStream(raw, reply.headers, reply.times, {
    onCommit: reply.onCommit,
    onPressure: slow => (slow ? dispatch.pause() : dispatch.resume()),
    onStall: () => {
      const fault = new Fault('client-stall', 'the caller does not read')
      if (!isOver) return dispatch.stop(fault)
      // The stream has ended, and its last part is not taken.
      call.record.fault ??= fault
      raw.destroy()
    },
  })
  const receiver = {
    relays: true,
    wantsStream: () => true,
    begin: (route: Route) => {
      client.dropHeld()
      return receive(call, route, client, reply.cost)
    },
    end: (fault: Fault | null) => {
      isOver = true
      live.delete(dispatch)
      const error = endClient(call, client, raw, fault)
      if (error === null) resolve()
      else reject(error)
    },
  }
  const dispatch: Dispatch = new Dispatch(call, fleet, receiver, new Failover(call, fleet))
  live.add(dispatch)
  raw.once('close', () => {
    if (!raw.writableFinished) dispatch.stop(new Fault('client-gone', 'the caller left'))
  })
  dispatch.start()
  return promise
}

/** Passes one attempt's frames on. Those before the first content are held: another attempt may take its place. */
export function receive(
  call: Call,
  { engine }: Route,
  client: Pick<ClientStream, 'write' | 'hold'>,
  cost: StreamReply['cost'],
): Reception {
  const tally = new UsageTally(engine.usagePerChoice, call.choicesPerPrompt)
  const relay: StreamRelay = new StreamRelay({
    model: call.askedModel,
    tally,
    includeUsage: call.includeUsage,
    hideCachedTokens: call.model.promptCache === 'account',
    choices: call.choices,
    envelope: eventEnvelope(call),
    besideTokens: () => {
      // The last word is not written yet, but all that it is counted by is known.
      noteEnd(call, engine, { usage: tally.total(), pieces: relay.pieces, fault: null })
      const usd = cost()
      return usd === null ? {} : { weir_cost: usd }
    },
    onFrames: frames => (relay.hasContent ? client.write(frames) : client.hold(frames)),
  })
  return {
    onData: chunk => relay.push(chunk),
    onEnd: () => relay.end(),
    get isDone() {
      return relay.isDone
    },
    get hasContent() {
      return relay.hasContent
    },
    get usage() {
      return tally.total()
    },
    get pieces() {
      return relay.pieces
    },
  }
}

/** Ends the caller's side as the fault demands; returns the error that must be answered instead, if nothing was sent. */
function endClient(call: Call, client: ClientStream, raw: ServerResponse, fault: Fault | null): WeirError | null {
  if (fault === null) client.end()
  else if (fault.kind === 'client-gone' || fault.kind === 'client-stall') raw.destroy()
  else if (client.isCommitted) client.fail(toStreamError(fault, faultContext(call)))
  else {
    client.release()
    return toWeirError(fault, faultContext(call))
  }
  return null
}
