import type { FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import type { Call } from '../src/backend/call.ts'
import type { Config } from '../src/config.ts'
import type { Demand } from '../src/domain/demand.ts'
import { amountFor, type LimitSet } from '../src/domain/limit.ts'
import { explainDenial, fitsWithoutPrompt } from '../src/domain/limit-denial.ts'
import { buildLimitHeaders } from '../src/domain/limit-headers.ts'
import { type TierLimitSizes, tierLimitSizes } from '../src/domain/limit-set.ts'
import { WeirError } from '../src/errors.ts'
import { usageOf } from '../src/ledger/call-usage.ts'
import type { Decision, Hold, Limiter } from '../src/limits/limiter.ts'
import { Recounts } from '../src/limits/recounts.ts'
import { startLimiter } from '../src/limits/start-limiter.ts'
import type { LimitMeters } from '../src/metrics/limit-meters.ts'
import type { Readiness } from '../src/readiness.ts'
import { getPrincipal } from './auth.ts'
import { getConfiguration } from './configuration.ts'
import type { Denials } from './denials.ts'
import { tracedStep } from './traces.ts'

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
  /** When it was priced, in milliseconds since 1970. */
  readonly pricedAtMs: number
  /** The demand with the prompt as its engine counts it; null where that cannot say. */
  readonly recount: (signal: AbortSignal) => Promise<Demand | null>
}

export interface LimitsOptions {
  readonly config: Pick<Config, 'stores'>
  readonly readiness: Readiness
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
  readonly denials: Denials
}

const unavailableRetryMs = 2000

/** The inference of a request that has been prepared. Throws where it has not, which is a mistake in the route. */
export function getInference({ inference, routeOptions }: FastifyRequest): Inference {
  if (inference === null) throw new Error(`${routeOptions.url ?? 'this route'} has no prepared inference`)
  return inference
}

export default fp<LimitsOptions>(
  async (app, { config, readiness }) => {
    const meters = app.meters.limits
    const limiter = await startLimiter({ ...config.stores, log: app.log, meters })
    readiness.needs(() => !limiter.isLocal || !refusesAll(app.configuration.current))
    const tierSizes = app.configuration.derive(({ tiers }) => tierLimitSizes(tiers))
    const recounts = new Recounts()
    app.decorate('limiter', limiter)
    app.decorateRequest('inference', null)
    app.decorate('reserve', (request, reply, next) => {
      const done = tracedStep(request, 'reserve', next)
      const { limits: set, tier } = getPrincipal(request)
      const { tiers } = getConfiguration(request)
      // Whoever left while a large body was read has nothing to wait for, and nobody would settle what is held.
      if (reply.raw.closed) return done()
      const settleLater = settleOnClose(request, reply, { set, limiter, meters })
      if (set.limits.length === 0) {
        settleLater(null, getInference(request).demand)
        return done()
      }
      const ask = {
        set,
        failsClosed: tiers[tier]?.whenLimiterDown === 'closed',
        inference: getInference(request),
        recounts,
        reply,
      }
      const conclude = ([decision, demand]: Outcome) => {
        meters.decided(decision.kind)
        if (decision.kind === 'admitted') {
          request.inference = { ...ask.inference, demand }
          settleLater(decision.hold, demand)
        }
        if (decision.kind !== 'unavailable') reply.headers(buildLimitHeaders(decision.set, decision.states))
        done(refusalOf([decision, demand], { tierSizes: tierSizes(), meters, denials: app.denials }))
      }
      const outcome = admit(limiter, request.id, ask)
      if (outcome instanceof Promise) outcome.then(conclude).catch(done)
      else conclude(outcome)
    })
    app.addHook('onClose', () => limiter.close())
  },
  { name: 'limits', fastify: '5.x', dependencies: ['configuration', 'metrics', 'auth', 'denials'] },
)

/** Whether without Redis nobody is let in. */
const refusesAll = ({ tiers }: Pick<Config, 'tiers'>) =>
  Object.values(tiers).every(({ whenLimiterDown }) => whenLimiterDown === 'closed')

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
      refusals.denials.note(set, limit)
      refusals.meters.denied({ limit: limit.name, of: limit.of, tier: set.tier })
      return new WeirError(kind, message, retry)
    }
  }
}

interface Settlement {
  readonly set: LimitSet
  readonly limiter: Limiter
  readonly meters: LimitMeters
}

/**
 * Settles what is held once the reply's socket has closed, which may be before the limiter has answered. What the caller has
 * no limit of is told as well.
 */
function settleOnClose(request: FastifyRequest, reply: FastifyReply, { set, limiter, meters }: Settlement) {
  let settle: (() => void) | null = null
  let isClosed = false
  // Those who end the call when its caller leaves listen to the same event, after us: what they find out belongs here.
  reply.raw.once('close', () =>
    queueMicrotask(() => {
      isClosed = true
      settle?.()
    }),
  )
  return (hold: Hold | null, demand: Demand) => {
    limiter.uncounted.begin(request.id, set)
    settle = () => {
      const step = request.trace?.begin('settle')
      const { call, pricedAtMs } = getInference(request)
      const usage = usageOf({ record: call.record, model: call.model, demand, pricedAtMs })
      const tokens = usage.inputTokens + usage.outputTokens
      const used = { requests: usage.requests, tokens, nanoUsd: usage.costNanoUsd }
      limiter.uncounted.end(request.id, set, { used, startedUs: pricedAtMs * 1000 })
      if (hold !== null) {
        meters.settled(demand.tokens, tokens)
        hold.settle(hold.reservation.set.limits.map(limit => amountFor(limit, used)))
      }
      step?.end()
    }
    if (isClosed) settle()
  }
}
