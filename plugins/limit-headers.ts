import type { onSendHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import type { LimitSet } from '../src/domain/limit.ts'
import { buildLimitHeaders } from '../src/domain/limit-headers.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * An onSend hook for inferences that are refused before they are counted: their answers say what is left as well.
     * Those that were counted say it already (plugins/limits.ts), and an answer of 200 always was.
     */
    readonly showLimits: onSendHookHandler
  }
}

const hasRates = ({ limits }: LimitSet): boolean => limits.some(({ kind }) => kind === 'rate')

export default fp(
  async app => {
    app.decorate('showLimits', function showLimits(request, reply, payload, done) {
      const set = request.principal?.limits
      const isSaid = reply.statusCode < 400 || reply.hasHeader('ratelimit')
      if (isSaid || set === undefined || !hasRates(set) || reply.raw.closed) {
        done(null, payload)
        return
      }
      app.limiter.look(set).then(
        look => {
          reply.headers(buildLimitHeaders(look.set, look.states))
          done(null, payload)
        },
        error => {
          // The answer matters more than what is left.
          request.log.warn({ err: error }, 'limits: what is left could not be said')
          done(null, payload)
        },
      )
    })
  },
  { name: 'limit-headers', fastify: '5.x', dependencies: ['auth', 'limits'] },
)
