import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { type Call, durationOf, outcomeOf } from '../src/backend/call.ts'
import type { Config } from '../src/config.ts'
import type { Demand } from '../src/domain/demand.ts'
import { type Amounts, amountFor, type LimitSet } from '../src/domain/limit.ts'
import { explainDenial, fitsWithoutPrompt } from '../src/domain/limit-denial.ts'
import { buildLimitHeaders } from '../src/domain/limit-headers.ts'
import { type TierLimitSizes, tierLimitSizes } from '../src/domain/limit-set.ts'
import { costOf, type Price } from '../src/domain/price.ts'
import { settlementOf } from '../src/domain/settlement.ts'
import { WeirError } from '../src/errors.ts'
import type { Decision, Hold, Limiter } from '../src/limits/limiter.ts'
import { LoneLimiter } from '../src/limits/lone-limiter.ts'
import { Recounts } from '../src/limits/recounts.ts'
import { limiterConnection, SharedLimiter } from '../src/limits/shared-limiter.ts'
import { connectRedis } from '../src/store/redis-client.ts'
import { getPrincipal } from './auth.ts'
import { getConfiguration } from './configuration.ts'
import type { LimitMeters } from './metrics.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * A preHandler hook for after the inference has been prepared: holds what it may cost at most against all limits of its
     * principal, or answers 429. What it really cost is settled when the reply's socket closes.
     */
    readonly reserve: preHandlerHookHandler
    readonly limiter: Limiter
  }
  interface FastifyRequest {
    /** The inference that is asked for; set before `reserve`. */
    inference: Inference | null
  }
}

export interface Inference {
  readonly call: Call
  /** What it may cost at most. */
  readonly demand: Demand
  /** What it is priced by; null where its model has no price. */
  readonly price: Price | null
  /** The demand with the prompt as its engine counts it; null where that cannot say. */
  readonly recount: (signal: AbortSignal) => Promise<Demand | null>
}

export interface LimitsOptions {
  readonly config: Pick<Config, 'stores'>
}

/** What one request asks the limiter for. */
interface Ask {
  readonly set: LimitSet
  readonly failsClosed: boolean
  readonly inference: Inference
  readonly recounts: Recounts
  readonly reply: FastifyReply
}

/** A decision, and the demand that it was made on. */
type Outcome = readonly [Decision, Demand]

interface Refusals {
  readonly tierSizes: TierLimitSizes
  readonly meters: LimitMeters
}

const unavailableRetryMs = 2000

/** The inference of a request that has been prepared. Throws where it has not, which is a mistake in the route. */
export function getInference({ inference, routeOptions }: FastifyRequest): Inference {
  if (inference === null) throw new Error(`${routeOptions.url ?? 'this route'} has no prepared inference`)
  return inference
}

export default fp<LimitsOptions>(
  async (app, { config }) => {
    const meters = app.meters.limits
    const limiter = await buildLimiter(app, config, meters)
    const tierSizes = app.configuration.derive(({ tiers }) => tierLimitSizes(tiers))
    const recounts = new Recounts()
    app.decorate('limiter', limiter)
    app.decorateRequest('inference', null)
    app.decorate('reserve', (request, reply, done) => {
      const { limits: set, tier } = getPrincipal(request)
      const { tiers } = getConfiguration(request)
      // Whoever left while a large body was read has nothing to wait for, and nobody would settle what is held.
      if (set.limits.length === 0 || reply.raw.closed) return done()
      const settleLater = settleOnClose(request, reply, meters)
      const ask = {
        set,
        failsClosed: tiers[tier]?.whenLimiterDown === 'closed',
        inference: getInference(request),
        recounts,
        reply,
      }
      const conclude = ([decision, demand]: Outcome) => {
        meters.decided(decision.kind)
        if (decision.kind === 'admitted') settleLater(decision.hold, demand)
        if (decision.kind !== 'unavailable') reply.headers(buildLimitHeaders(decision.set, decision.states))
        done(refusalOf([decision, demand], { tierSizes: tierSizes(), meters }))
      }
      const outcome = admit(limiter, request.id, ask)
      if (outcome instanceof Promise) outcome.then(conclude).catch(done)
      else conclude(outcome)
    })
    app.addHook('onClose', () => limiter.close())
  },
  { name: 'limits', fastify: '5.x', dependencies: ['configuration', 'metrics', 'auth'] },
)

async function buildLimiter(
  app: FastifyInstance,
  { stores }: LimitsOptions['config'],
  meters: LimitMeters,
): Promise<Limiter> {
  if (stores.redisUrl === undefined) return new LoneLimiter()
  const client = connectRedis(stores.redisUrl, limiterConnection)
  // What is wrong with Redis is said by the plugin redis and by the limiter.
  client.on('error', () => {})
  const limiter = new SharedLimiter({
    client,
    assumedReplicas: stores.replicas,
    events: {
      onRoundTrip: durationMs => meters.observeRoundTrip(durationMs),
      onBacklog: (waiting, dropped) => meters.setBacklog(waiting, dropped),
      onSuspicion: isSuspected => meters.setSuspected(isSuspected),
      onTrouble: reason =>
        app.log.error({ reason }, 'limits: Redis does not take what it has to be told; it is tried again'),
      onModeChange: (isLocal, reason) => {
        meters.setLocal(isLocal)
        if (isLocal)
          app.log.error({ reason }, 'limits: Redis does not answer; this replica keeps to its part of each limit')
        else app.log.info('limits: counted in Redis, together with all replicas')
      },
    },
  })
  await limiter.begin()
  if (limiter.isLocal) {
    meters.setLocal(true)
    const replicas = stores.replicas
    app.log.error(
      { replicas },
      'limits: Redis has not been reached yet; each limit is divided by this number of replicas',
    )
  }
  return limiter
}

/** At once where the limiter counts in this process and says yes. */
function admit(limiter: Limiter, requestId: string, ask: Ask): Outcome | Promise<Outcome> {
  const { demand } = ask.inference
  const decision = limiter.reserve(requestOf(ask, demand, requestId))
  if (!(decision instanceof Promise) && decision.kind !== 'denied') return [decision, demand]
  return reconsider(limiter, requestId, ask, decision)
}

/**
 * The estimate of a prompt is an upper bound. Where only that keeps a request out, its engine is asked before it is denied;
 * not for those who were denied a moment ago all the same.
 */
async function reconsider(
  limiter: Limiter,
  requestId: string,
  ask: Ask,
  first: Decision | Promise<Decision>,
): Promise<Outcome> {
  const { inference, recounts, reply } = ask
  const { demand, recount } = inference
  const decision = await first
  if (decision.kind !== 'denied' || !recounts.mayCount(ask.set.fingerprint, performance.now())) {
    return [decision, demand]
  }
  const { set, states } = decision
  if (!fitsWithoutPrompt({ set, states, demand })) return [decision, demand]
  const counted = await recount(leavingSignal(reply))
  const second =
    counted === null || counted.promptTokens >= demand.promptTokens
      ? decision
      : await limiter.reserve(requestOf(ask, counted, `${requestId}-counted`))
  if (second.kind === 'denied') recounts.countedInVain(ask.set.fingerprint, performance.now())
  return second === decision ? [decision, demand] : [second, counted ?? demand]
}

const requestOf = ({ set, failsClosed }: Ask, demand: Demand, id: string) => ({
  id,
  set,
  failsClosed,
  amounts: set.limits.map(limit => amountFor(limit, demand)),
})

/** Aborts when the caller leaves. */
function leavingSignal({ raw }: FastifyReply): AbortSignal {
  const leaving = new AbortController()
  if (raw.closed) leaving.abort()
  else raw.once('close', () => leaving.abort())
  return leaving.signal
}

/** What the caller is answered; nothing where it was admitted. */
function refusalOf([decision, demand]: Outcome, refusals: Refusals): WeirError | undefined {
  switch (decision.kind) {
    case 'admitted':
      return undefined
    case 'unavailable':
      return new WeirError('overloaded', 'Limits cannot be kept at the moment. Try again shortly.', {
        retryAfterMs: unavailableRetryMs,
      })
    case 'denied': {
      const { set } = decision
      const amounts = set.limits.map(limit => amountFor(limit, demand))
      const { limit, kind, message, ...retry } = explainDenial({ ...decision, amounts, tierSizes: refusals.tierSizes })
      refusals.meters.denied({ limit: limit.name, of: limit.of, tier: set.tier })
      return new WeirError(kind, message, retry)
    }
  }
}

/** Settles what is held once the reply's socket has closed, which may be before the limiter has answered. */
function settleOnClose(request: FastifyRequest, reply: FastifyReply, meters: LimitMeters) {
  let settle: (() => void) | null = null
  let isClosed = false
  // Those who end the call when its caller leaves listen to the same event, after us: what they find out belongs here.
  reply.raw.once('close', () =>
    queueMicrotask(() => {
      isClosed = true
      settle?.()
    }),
  )
  return (hold: Hold, demand: Demand) => {
    settle = () => {
      const used = usedOf(request, demand)
      meters.settled(demand.tokens, used.tokens)
      hold.settle(hold.reservation.set.limits.map(limit => amountFor(limit, used)))
    }
    if (isClosed) settle()
  }
}

/** What came of it, in the units of limits. */
function usedOf({ call, inference }: FastifyRequest, { promptTokens, outputTokens }: Demand): Amounts {
  const outcome = outcomeOf(call)
  const settlement = settlementOf(outcome, { inputTokens: promptTokens, outputTokens })
  const { requests, inputTokens, outputTokens: output } = settlement
  // A backend's time that the caller had nothing of costs it nothing, as the tokens do.
  const durationMs = outcome.hasFailed && !outcome.hasContent ? 0 : durationOf(call)
  const nanoUsd = costOf(inference?.price ?? null, { ...settlement, durationMs })
  return { requests, tokens: inputTokens + output, nanoUsd }
}
