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
  /**
   * The tokens of the call's prompt, as the engine counts them that would serve it: to be asked for where only an estimate
   * would refuse the request. Null where there is no such count within half a second; never rejects. `signal` aborts when
   * the caller leaves.
   */
  countPrompt(call: Call, signal: AbortSignal): Promise<number | null>
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
/** How long a call waits for the embedded engine's first start: a small model is there before anybody could try again. */
const enginePatienceMs = 1000
const leastRetryMs = 500

export default fp(
  async (app: FastifyInstance, { backends: configs, times }: BackendsOptions) => {
    const { engine } = app
    const all = engine?.backend ? { ...configs, [engine.backendName]: engine.backend } : configs
    const backends = new Map(Object.entries(all).map(([name, config]) => [name, new Backend(name, config)]))
    const watch = (backend: Backend) =>
      watchBackend(backend, { log: app.log, onDiscovered: found => app.catalog.setDiscovered(found) })
    const watches = [...backends.values()].filter(({ name }) => name !== engine?.backendName).map(watch)
    let isClosing = false
    const embedded = engine === null ? undefined : backends.get(engine.backendName)
    // Its address is known before it is known whether it can run at all: until then it is not called up.
    engine?.process.ready.then(
      () => embedded === undefined || isClosing || watches.push(watch(embedded)),
      // Whoever asks it for something is told why.
      () => undefined,
    )
    const live = new Set<LiveStream>()
    // So that the first caller already finds the models of backends that are up; one that is not holds nobody up.
    await Promise.race([
      Promise.all(watches.map(({ firstLook }) => firstLook)),
      delay(firstLookMs, null, { ref: false }),
    ])

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
      countPrompt: async (call, signal) => {
        const { target, backend } = pickBackend(backends, call)
        return target === undefined || backend === undefined ? null : backend.countPrompt(call, target, signal)
      },
      states: () => Object.fromEntries(watches.map(({ name, state }) => [name, state])),
      stopAll: () => {
        for (const stream of live) stream.stop(new Fault('shutdown', 'the server is stopping'))
      },
    })
    app.addHook('onClose', async () => {
      isClosing = true
      for (const each of watches) each.stop()
      await Promise.all([...backends.values()].map(backend => backend.close()))
    })
  },
  { name: 'backends', dependencies: ['engine', 'catalog', 'metrics'] },
)

/** The least loaded target that takes this call, and its backend. */
function pickBackend(backends: ReadonlyMap<string, Backend>, call: Call) {
  const target = pickTarget(call.model.targets, call.operation, name => backends.get(name)?.inFlight ?? 0)
  return { target, backend: target === undefined ? undefined : backends.get(target.backend) }
}

/** The backend for this call and what kind of server it is. Rejects with a WeirError. */
async function chooseRoute(app: FastifyInstance, backends: ReadonlyMap<string, Backend>, call: Call): Promise<Route> {
  const { target, backend } = pickBackend(backends, call)
  if (target?.backend === app.engine?.backendName) await waitForEngine(app.engine, faultContext(call).model)
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

/** Throws what to do about it where the embedded engine does not run. Its own reasons name paths: those are for the log. */
async function waitForEngine(engine: EmbeddedEngine | null, model: string): Promise<void> {
  if (engine === null) return
  if (engine.process.available().kind === 'starting') {
    const ready = engine.process.ready.catch(() => undefined)
    await Promise.race([ready, delay(enginePatienceMs, null, { ref: false })])
  }
  const state = engine.process.available()
  switch (state.kind) {
    case 'unavailable': {
      const why = `Model '${model}' cannot run here: there is no llama.cpp package for this platform.`
      const remedy = 'Install the optional dependencies, or configure a backend (WEIR_BACKEND_URL).'
      throw new WeirError('overloaded', `${why} ${remedy}`, { shouldRetry: false })
    }
    case 'failed': {
      const message = `Model '${model}' could not be loaded: see the server's log, or start with another --model.`
      throw new WeirError('overloaded', message, { shouldRetry: false })
    }
    case 'starting':
    case 'restarting': {
      const retryAfterMs = Math.max(state.kind === 'restarting' ? state.retryInMs : 0, leastRetryMs)
      throw new WeirError('overloaded', `Model '${model}' is starting. Try again shortly.`, { retryAfterMs })
    }
    case 'ready':
    case 'stopped':
  }
}

/** What plugins have put on the reply so far, for a 200 that is written by hand. */
function plainHeaders(reply: FastifyReply): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value : String(value)
  }
  return headers
}
