import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { Backend, type BackendConfig } from '../src/backend/backend.ts'
import { type Call, faultContext, type Route } from '../src/backend/call.ts'
import type { ClientStreamTimes } from '../src/backend/client-stream.ts'
import { collectAnswer } from '../src/backend/collect-answer.ts'
import { Fault, toStreamError, toWeirError } from '../src/backend/fault.ts'
import { type LiveStream, streamAnswer } from '../src/backend/stream-answer.ts'
import { type BackendState, watchBackend } from '../src/backend/watch.ts'
import type { Json } from '../src/domain/chat-event.ts'
import { pickTarget } from '../src/domain/picker.ts'
import { WeirError } from '../src/errors.ts'
import type { EmbeddedEngine } from './engine.ts'
import { processingMs } from './usage.ts'

declare module 'fastify' {
  interface FastifyInstance {
    backends: Backends
  }
}

export interface Backends {
  /** Streams the answer to the caller; rejects with a WeirError while an ordinary error can still be sent. */
  stream(call: Call, reply: FastifyReply): Promise<void>
  /** The whole answer; null where the caller left. Rejects with a WeirError. */
  collect(call: Call, reply: FastifyReply): Promise<Json | null>
  /** What is known of each backend, for health. */
  states(): Readonly<Record<string, BackendState>>
  /** Ends what is still running, with a proper error event; for the end of the drain. */
  stopAll(): void
}

export interface BackendsOptions {
  readonly backends: Readonly<Record<string, BackendConfig>>
  readonly times: ClientStreamTimes
}

/** How long the start waits for backends to say what they have. */
const firstLookMs = 1000

export default fp(
  async (app: FastifyInstance, { backends: configs, times }: BackendsOptions) => {
    const { engine } = app
    const all = engine?.backend ? { ...configs, [engine.backendName]: engine.backend } : configs
    const backends = new Map(Object.entries(all).map(([name, config]) => [name, new Backend(name, config)]))
    const watches = [...backends.values()].map(backend =>
      watchBackend(backend, { log: app.log, onDiscovered: found => app.catalog.setDiscovered(found) }),
    )
    const live = new Set<LiveStream>()
    // So that the first caller already finds the models of backends that are up; one that is not holds nobody up.
    await Promise.race([Promise.all(watches.map(watch => watch.firstLook)), delay(firstLookMs, null, { ref: false })])

    app.decorate('backends', {
      stream: async (call, reply) => {
        const route = await chooseRoute(app, backends, call)
        // The caller may leave before anything is sent: then there is nobody to answer.
        if (reply.raw.destroyed) return void reply.hijack()
        const headers = { ...plainHeaders(reply), 'openai-processing-ms': '' }
        const streamReply = {
          raw: reply.raw,
          headers,
          times,
          onCommit: () => {
            headers['openai-processing-ms'] = processingMs(reply.request)
            reply.hijack()
          },
        }
        await streamAnswer(call, route, streamReply, live)
        if (!reply.sent) reply.hijack()
        logStreamFault(call, reply)
      },
      collect: async (call, reply) => {
        const route = await chooseRoute(app, backends, call)
        if (reply.raw.destroyed) return null
        return collectAnswer(call, route, reply.raw, live)
      },
      states: () => Object.fromEntries(watches.map(watch => [watch.name, watch.state])),
      stopAll: () => {
        for (const stream of live) stream.stop(new Fault('shutdown', 'the server is stopping'))
      },
    })
    app.addHook('onClose', async () => {
      for (const watch of watches) watch.stop()
      await Promise.all([...backends.values()].map(backend => backend.close()))
    })
  },
  { name: 'backends', dependencies: ['engine', 'catalog', 'metrics'] },
)

/** The backend for this call and what kind of server it is. Rejects with a WeirError. */
async function chooseRoute(app: FastifyInstance, backends: ReadonlyMap<string, Backend>, call: Call): Promise<Route> {
  const target = pickTarget(call.model.targets, call.operation, name => backends.get(name)?.inFlight ?? 0)
  if (target?.backend === app.engine?.backendName) refuseWithoutEngine(app.engine)
  const backend = target === undefined ? undefined : backends.get(target.backend)
  if (target === undefined || backend === undefined)
    throw toWeirError(new Fault('busy', 'no target takes traffic'), faultContext(call))
  call.record.backend = backend.name
  call.record.attempts = 1
  try {
    return { backend, target, engine: backend.engine ?? (await backend.getEngine()) }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    call.record.fault = error
    throw toWeirError(error, faultContext(call))
  }
}

/** What ends a stream after its 200 is no answer that the error handler sees: an operator must learn of it all the same. */
function logStreamFault(call: Call, reply: FastifyReply): void {
  const { fault } = call.record
  if (fault === null) return
  const error = toStreamError(fault, faultContext(call))
  if (error.statusCode >= 500) reply.request.log.error({ err: fault }, error.message)
}

/** Throws what an operator can do, where the embedded engine cannot run. */
function refuseWithoutEngine(engine: EmbeddedEngine | null): void {
  const state = engine?.process.available()
  if (state?.kind === 'unavailable') throw new WeirError('overloaded', `${state.reason} ${state.remedy}`)
  if (state?.kind === 'failed') throw new WeirError('overloaded', state.reason)
}

/** What plugins have put on the reply so far, for a 200 that is written by hand. */
function plainHeaders(reply: FastifyReply): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value : String(value)
  }
  return headers
}
