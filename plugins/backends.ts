import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Admission } from '../src/backend/admission.ts'
import type { Backend } from '../src/backend/backend.ts'
import type { GateChange } from '../src/backend/backend-events.ts'
import { BackendSets } from '../src/backend/backend-sets.ts'
import { type Call, faultContext } from '../src/backend/call.ts'
import { collectAnswer } from '../src/backend/collect-answer.ts'
import { Fault, toStreamError } from '../src/backend/fault.ts'
import { Fleets } from '../src/backend/fleet.ts'
import type { Receiver } from '../src/backend/reception.ts'
import { routeHeadersOf } from '../src/backend/route-headers.ts'
import { buildRun, type Run } from '../src/backend/run.ts'
import { Shadows } from '../src/backend/shadow.ts'
import { type LiveCall, type StreamReply, streamAnswer } from '../src/backend/stream-answer.ts'
import { viewBackend } from '../src/backend/view.ts'
import type { BackendState } from '../src/backend/watch.ts'
import type { Config } from '../src/config.ts'
import type { Json } from '../src/domain/chat-event.ts'
import { modelOfArm } from '../src/domain/shadow.ts'
import type { BackendView } from '../src/schemas/admin/backends.ts'
import { getConfiguration } from './configuration.ts'
import { waitForEngine } from './engine.ts'
import { costTold, processingMs } from './usage.ts'

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
  /** Rejects with a WeirError where nothing that serves the call can run yet. */
  ready(call: Call): Promise<void>
  /** A call whose answer is taken by `receiver`, by the configuration of the request; it has to be started. */
  run(request: FastifyRequest, call: Call, receiver: Receiver): Run
  /** Gives a stream to `write` to answer with; settled when that is, and the reply is sent then. */
  deliver(call: Call, reply: FastifyReply, write: (to: StreamReply) => Promise<void>): Promise<void>
  /** What the answer says of where the call went. */
  routingHeaders(request: FastifyRequest, call: Call): Record<string, string>
  /** Sends a copy of the call to the other arm that the request is to be compared with, where there is one; see Shadows. */
  copy(request: FastifyRequest, call: Call): void
  /**
   * The tokens of the call's prompt, as an engine counts them that may serve it: to be asked for where only an estimate
   * would refuse the request, which goes by this configuration. Null where there is no such count within half a second; never rejects. `signal` aborts when
   * the caller leaves.
   */
  countPrompt(call: Call, config: Config, signal: AbortSignal): Promise<number | null>
  /** What is known of each backend, for health. */
  states(): Readonly<Record<string, BackendState>>
  /** What is known of each backend, for operators. */
  views(): readonly BackendView[]
  /** Gives this backend no new requests, or lets them in again. */
  drain(name: string, isDrained: boolean): void
  /** Keys what stands for the beginnings of prompts. */
  readonly prefixSecret: string
  /** Ends what is still running, with a proper error event; for the end of the drain. */
  stopAll(): void
}

export interface BackendsOptions {
  /** Of one call. */
  readonly maxAttempts: number
  /** At one backend, for a slot. */
  readonly maxWaiting: number
  readonly prefixSecret: string
}

/** How long the start waits for backends to say what they have. */
const firstLookMs = 1000

export default fp(
  async (app: FastifyInstance, { maxAttempts, maxWaiting, prefixSecret }: BackendsOptions) => {
    const { configuration } = app
    const admission = new Admission({ maxWaiting, events: app.meters.admission })
    const shadows = buildShadows(app, admission)
    const sets = buildSets(app, admission, shadows)
    const fleets = new Fleets({ admission, maxAttempts })
    const fleetOf = (request: FastifyRequest) => fleets.of(sets.of(getConfiguration(request)))
    const current = () => sets.of(configuration.current)
    configuration.onReload(next => sets.prepare(next))
    const live = new Set<LiveCall>()
    // So that the first caller already finds the models of backends that are up; one that is not holds nobody up.
    await Promise.race([sets.firstLook(), delay(firstLookMs, null, { ref: false })])

    app.decorate('backends', {
      stream: async (call, reply) => {
        await waitForEngine(app.engine, call)
        // The caller may leave before anything is sent: then there is nobody to answer.
        if (reply.raw.destroyed) return void reply.hijack()
        await streamTo(reply, call, stream => streamAnswer(call, fleetOf(reply.request), stream, live))
      },
      collect: async (call, reply) => {
        await waitForEngine(app.engine, call)
        if (reply.raw.destroyed) return null
        try {
          return await collectAnswer(call, fleetOf(reply.request), reply.raw, live)
        } finally {
          reply.headers(routingHeaders(reply.request, call))
        }
      },
      ready: call => waitForEngine(app.engine, call),
      run: (request, call, receiver) => buildRun(call, fleetOf(request), receiver, live),
      deliver: (call, reply, write) => streamTo(reply, call, write),
      routingHeaders,
      copy: (request, call) => {
        const { assignment, model: found, startedAt } = request
        const arm = assignment?.copyArm ?? null
        if (assignment === null || arm === null || found === null) return
        const { experiment, participant } = assignment
        shadows.send({
          call,
          model: modelOfArm(found.model, arm),
          fleet: fleetOf(request),
          onOver: record => app.experiments.observeCopy({ experiment, arm, participant }, record, startedAt),
        })
      },
      countPrompt: async (call, config, signal) => {
        const found = fleets.of(sets.of(config)).likely(call)
        return found === null ? null : found.backend.countPrompt(call, found.target, signal)
      },
      states: () => sets.states(),
      views: () => Array.from(current().values(), backend => viewBackend(backend, sets.stateOf(backend), admission)),
      drain: (name, isDrained) => {
        const backend = current().get(name)
        if (backend === undefined) return
        backend.drain.say(isDrained)
        admission.wake(backend)
      },
      prefixSecret,
      stopAll: () => {
        for (const call of live) call.stop(new Fault('shutdown', 'the server is stopping'))
      },
    })
    // What drains are callers: copies give them their slots.
    app.addHook('preClose', async () => shadows.close())
    app.addHook('onClose', () => sets.close())
  },
  { name: 'backends', dependencies: ['drain', 'configuration', 'engine', 'catalog', 'metrics', 'experiments'] },
)

function buildShadows(app: FastifyInstance, admission: Admission): Shadows {
  const servesCallers = (name: string) =>
    app.catalog.current.models.some(model =>
      app.experiments.answering(model).targets.some(({ backend, weight }) => backend === name && weight > 0),
    )
  const onMistake = (err: unknown) => app.log.error({ err }, 'a copy of a request could not be made')
  return new Shadows({ admission, servesCallers, onMistake })
}

function buildSets(app: FastifyInstance, admission: Admission, shadows: Shadows): BackendSets {
  const { engine, configuration } = app
  const sets: BackendSets = new BackendSets({
    config: configuration.current,
    own: engine?.backend ? { name: engine.backendName, config: engine.backend, ready: engine.process.ready } : null,
    log: app.log,
    onDiscovered: found => app.catalog.setDiscovered(found),
    onChange: backend => admission.wake(backend),
    onGate: (backend, change) => {
      if (sets.isInForce(backend)) app.meters.admission.onGate(change)
      gateChanged(app, admission, { backend, change })
    },
    onInForce: (set, gone) => {
      admission.use(set.values())
      for (const name of gone) app.meters.admission.onGone(name)
    },
    // Copies outlive their callers.
    afterRunning: () => app.drain.afterRunning().then(() => shadows.afterRunning()),
  })
  return sets
}

/** Whoever waits for this backend learns of it; when its pause is over, the gate says so. */
function gateChanged(
  app: FastifyInstance,
  admission: Admission,
  { backend, change }: { readonly backend: Backend; readonly change: GateChange },
): void {
  const { state } = change
  if (state === 'open') app.log.error(change, 'backend: breaker open')
  else app.log.info(change, `backend: breaker ${state}`)
  // Not within whatever has changed it.
  setImmediate(() => admission.wake(backend))
}

/** Answers with a stream, of which the headers are written by hand once it is certain that there is one. */
async function streamTo(reply: FastifyReply, call: Call, stream: (to: StreamReply) => Promise<void>): Promise<void> {
  const { request, raw } = reply
  const headers = { ...plainHeaders(reply), 'openai-processing-ms': '' }
  const onCommit = () => {
    headers['openai-processing-ms'] = processingMs(request)
    Object.assign(headers, routingHeaders(request, call))
    reply.hijack()
  }
  try {
    const times = streamTimes(getConfiguration(request))
    await stream({ raw, headers, times, onCommit, cost: () => costTold(request) })
  } finally {
    if (!reply.sent) reply.headers(routingHeaders(request, call))
  }
  if (!reply.sent) reply.hijack()
  logStreamFault(call, reply)
}

const streamTimes = ({ server }: Config) => ({
  commitAfterMs: server.commitAfterMs,
  heartbeatMs: server.heartbeatMs,
  // One bound for all callers: it protects this process, not a backend.
  stallMs: server.clientStallMs,
})

/** What ends a stream after its 200 is no answer that the error handler sees: an operator must learn of it all the same. */
function logStreamFault(call: Call, reply: FastifyReply): void {
  const { fault } = call.record
  if (fault === null) return
  const error = toStreamError(fault, faultContext(call))
  if (error.statusCode >= 500) reply.request.log.error({ err: fault }, error.message)
}

/** What plugins have put on the reply so far, for a 200 that is written by hand. */
function plainHeaders(reply: FastifyReply): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value : String(value)
  }
  return headers
}

/** Where a request went is for those who may administer and for tiers that want it. */
function routingHeaders(request: FastifyRequest, call: Call): Record<string, string> {
  const { principal } = request
  const isShown =
    principal?.scopes.has('admin') || getConfiguration(request).tiers[principal?.tier ?? '']?.routingHeaders
  return routeHeadersOf(call, isShown === true)
}
