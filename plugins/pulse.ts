import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { WeirError } from '../src/errors.ts'
import { startProbeThread } from '../src/probe/probe-thread.ts'
import type { Readiness } from '../src/readiness.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Where a thread of its own answers probes; null without PROBE_PORT. */
    readonly probeUrl: string | null
  }
}

export interface PulseOptions {
  readonly readiness: Readiness
  readonly host: string
  readonly port: number | undefined
}

const beatMs = 100
/** Whoever came while nothing was answered for so long has waited as long, and another replica may not be blocked. */
const shedAfterMs = 2000
const shedRetryMs = 1000
const sheddable: ReadonlySet<unknown> = new Set(['chat', 'completions', 'embeddings'])

/**
 * The main thread's pulse: told to the thread of the probes, which sees that it stops, and missed here, where what has piled
 * up meanwhile is refused and not begun all at once.
 */
export default fp<PulseOptions>(
  async (app: FastifyInstance, { readiness, host, port }) => {
    const thread =
      port === undefined
        ? null
        : await startProbeThread({ memory: readiness.signs.memory, host, port }, err =>
            app.log.fatal({ err }, 'the thread of the probes ended; they fail from now on'),
          )
    app.decorate('probeUrl', thread?.url ?? null)
    let isLate = false
    readiness.needs(() => !isLate)
    // Timers come before what has arrived meanwhile: the first beat after a pause is late, the next one is not.
    const timer = setInterval(() => {
      const pauseMs = readiness.signs.ageMs
      isLate = pauseMs > shedAfterMs
      readiness.beat()
      if (isLate) app.log.warn({ pauseMs: Math.round(pauseMs) }, 'blocked: what came meanwhile is refused')
    }, beatMs)
    timer.unref()
    app.addHook('onRequest', (request, _reply, done) => {
      if (isLate && isInference(request))
        return done(new WeirError('overloaded', pausedMessage, { retryAfterMs: shedRetryMs }))
      done()
    })
    app.addHook('onClose', async () => {
      clearInterval(timer)
      await thread?.close()
    })
  },
  { name: 'pulse', fastify: '5.x' },
)

const pausedMessage = 'The server did not get to its requests for a moment. Try again.'

const isInference = ({ routeOptions }: FastifyRequest) => sheddable.has(routeOptions.config.scope)
