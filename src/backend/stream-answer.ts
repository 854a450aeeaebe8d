import type { ServerResponse } from 'node:http'
import { UsageTally } from '../domain/usage.ts'
import type { WeirError } from '../errors.ts'
import type { AttemptHandle } from './backend.ts'
import { type Call, callPath, faultContext, noteEnd, noteSent, type Route } from './call.ts'
import { ClientStream, type ClientStreamTimes } from './client-stream.ts'
import { eventEnvelope } from './envelope.ts'
import { Fault, toStreamError, toWeirError } from './fault.ts'
import { StreamRelay } from './stream-relay.ts'

export interface StreamReply {
  readonly raw: ServerResponse
  readonly headers: Record<string, string | string[]>
  readonly times: ClientStreamTimes
  /** From here on the reply is written by hand. */
  readonly onCommit: () => void
}

/** A stream that is being relayed: what can end it from outside. */
export interface LiveStream {
  readonly stop: (fault: Fault) => void
}

/**
 * Relays one streamed answer to the caller. Resolves when the stream is over, however it ended after its 200; rejects with
 * a WeirError while an ordinary error can still be sent. `live` holds the stream while it runs.
 */
export function streamAnswer(call: Call, route: Route, reply: StreamReply, live: Set<LiveStream>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const tally = new UsageTally(route.engine.usagePerChoice, call.choicesPerPrompt)
  let attempt: AttemptHandle | null = null
  let isSettled = false
  const stream: LiveStream = { stop: fault => attempt?.abort(fault) }

  const client = new ClientStream(reply.raw, reply.headers, reply.times, {
    onCommit: reply.onCommit,
    onPressure: slow => (slow ? attempt?.pause() : attempt?.resume()),
    onStall: () => {
      const fault = new Fault('client-stall', 'the caller does not read')
      if (!isSettled) return stream.stop(fault)
      // The stream has ended, and its last part is not taken.
      call.record.fault ??= fault
      reply.raw.destroy()
    },
  })
  const settle = (fault: Fault | null) => {
    if (isSettled) return
    isSettled = true
    live.delete(stream)
    noteEnd(call, route.engine, { usage: tally.total(), pieces: relay.pieces, fault })
    const error = endClient(call, client, reply.raw, fault)
    if (error === null) resolve()
    else reject(error)
  }
  const relay: StreamRelay = new StreamRelay({
    model: call.askedModel,
    tally,
    includeUsage: call.includeUsage,
    hideCachedTokens: call.model.promptCache === 'account',
    choices: call.choices,
    envelope: eventEnvelope(call),
    onFrames: frames => {
      if (!relay.hasContent) return client.hold(frames)
      if (call.record.firstContentAt === null) {
        call.record.firstContentAt = performance.now()
        attempt?.contentBegan()
      }
      client.write(frames)
    },
  })

  live.add(stream)
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) stream.stop(new Fault('client-gone', 'the caller left'))
  })
  const body = call.buildBody(route.target, route.engine, true)
  attempt = route.backend.attempt(
    route.engine,
    { path: callPath(call), body, stream: true },
    {
      onSent: () => noteSent(call),
      onData: chunk => {
        const isProgress = relay.push(chunk)
        if (relay.isDone && !isSettled) {
          settle(null)
          // Some servers leave the connection open after [DONE].
          attempt?.answered()
        }
        return isProgress
      },
      onEnd: () => {
        relay.end()
        settle(null)
      },
      onFault: settle,
    },
  )
  return promise
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
