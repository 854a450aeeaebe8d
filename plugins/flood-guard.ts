/**
 * Bounds what one address can ask for before anybody knows who it is. It counts in this process alone, in fixed windows of
 * a minute, and protects the server and the check of keys; the limits of accounts are another matter.
 * What Fastify refuses before it looks for a route, a URL that cannot be decoded, comes past all hooks and is not counted.
 */
import rateLimit, { type RateLimitOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { WeirError } from '../src/errors.ts'
import { countedAddress } from '../src/peer/counted-address.ts'
import { buildProxyWatch } from '../src/peer/unlisted-proxy.ts'
import { listenerConstraint } from './internal-listener.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The address that it counts for; empty where nothing has been counted. */
    countedAddress: string
  }
}

export interface FloodBounds {
  /** Requests of one address; 0 is no bound. */
  readonly requestsPerMinute: number
  /** Of these, answers 401, 404 and 405 that say "no such key" or "no such URL"; 0 is no bound. */
  readonly failuresPerMinute: number
}

export interface FloodGuardOptions {
  /** As they are now; other ones hold for the windows that have begun. */
  readonly bounds: () => FloodBounds
  /** CIDRs of the proxies that Fastify believes. */
  readonly trustedProxies: readonly string[]
  /** Another window than a minute, for tests. */
  readonly windowMs?: number
  /** How many addresses are remembered for each of the two counts. */
  readonly maxAddresses?: number
}

type Reason = 'requests' | 'failures'

interface Exhausted {
  readonly max: number
  readonly ttl: number
}

/** Measured: 0.2 KB each. Who is pushed out has been quiet for longest, and starts anew. */
const defaultMaxAddresses = 50_000

/** Probes and metrics are asked by one's own machines, and most urgently while somebody floods. */
const uncounted: ReadonlySet<string | undefined> = new Set(['health', 'metrics'])

async function floodGuard(app: FastifyInstance, options: FloodGuardOptions): Promise<void> {
  const { bounds, trustedProxies } = options
  app.decorateRequest('countedAddress', '')
  const limitOf = (max: () => number): RateLimitOptions => ({
    max,
    timeWindow: options.windowMs ?? 60_000,
    // Named for each: the library hands all settings on to a second limiter, but not the size of its store.
    cache: options.maxAddresses ?? defaultMaxAddresses,
    keyGenerator: addressOf,
  })
  // Its hooks for routes set x-ratelimit-* headers, which are for the account's limits here: only its counters are used.
  await app.register(rateLimit, { global: false, ...limitOf(() => bounds().requestsPerMinute) })
  const countRequest = app.createRateLimit()
  // Options of its own give it a store of its own.
  const countFailure = app.createRateLimit(limitOf(() => bounds().failuresPerMinute))
  const watchForProxies = buildProxyWatch(trustedProxies, peer => {
    const message = `${peer} looks like a proxy that is not in TRUSTED_PROXIES; all its callers count as one address`
    app.log.warn({ peer }, message)
  })
  const refuse = (reason: Reason, exhausted: Exhausted) => {
    app.meters.observeFloodDenial(reason)
    throw refusal(reason, exhausted)
  }

  app.addHook('onRequest', async request => {
    const { requestsPerMinute, failuresPerMinute } = bounds()
    if (isInternal(request) || (requestsPerMinute === 0 && failuresPerMinute === 0)) return
    watchForProxies(request.raw)
    if (requestsPerMinute > 0 && !uncounted.has(request.routeOptions.config.operation)) {
      const count = await countRequest(request)
      if (!count.isAllowed && count.isExceeded) refuse('requests', count)
    }
    // Refused before the key is looked at, a right one like a wrong one: if only wrong ones were, the difference would
    // tell a guesser which is right, and guessing would go on. So a neighbour behind the same address has to wait as
    // well, but for the rest of one minute at most. Metrics that want a key are no way round this.
    if (failuresPerMinute > 0 && needsKey(request)) {
      const count = await countFailure(request, { increment: false })
      if (!count.isAllowed && count.remaining === 0) refuse('failures', count)
    }
  })
  // By the answer and not where it is decided on: so every 401 costs the same, and no way to one is forgotten.
  app.addHook('onSend', (request, reply, payload, done) => {
    if (bounds().failuresPerMinute > 0 && isFailure(request, reply))
      countFailure(request).then(() => done(null, payload), done)
    else done(null, payload)
  })
}

/** Once a request: behind a proxy Fastify reads the forwarding header anew each time that it is asked for the address. */
function addressOf(request: FastifyRequest): string {
  request.countedAddress ||= countedAddress(request.ip, request.socket.remoteAddress)
  return request.countedAddress
}

const isInternal = (request: FastifyRequest): boolean => listenerConstraint(request).listener === 'internal'

/** By the route and not by its URL, which can be written in many ways. Unknown URLs have no scope. */
function needsKey({ routeOptions }: FastifyRequest): boolean {
  const { scope } = routeOptions.config
  return scope !== undefined && scope !== 'public'
}

/** A credential that is not let in, or a URL or method that there is not; a model that there is not is no failure. */
function isFailure(request: FastifyRequest, { statusCode }: FastifyReply): boolean {
  if (statusCode !== 401 && statusCode !== 404 && statusCode !== 405) return false
  return (statusCode === 401 || request.is404) && !isInternal(request)
}

/** The window is fixed, so waiting as long as this says is enough. */
function refusal(reason: Reason, { max, ttl }: Exhausted): WeirError {
  const again = `in ${Math.ceil(ttl / 1000)} s`
  switch (reason) {
    case 'requests': {
      const message = `Too many requests from this address: ${max} a minute are taken, whoever sends them. Try again ${again}. The operator of this server sets this limit as server.floodGuard.requestsPerMinute.`
      return new WeirError('requestLimitExceeded', message, { retryAfterMs: ttl })
    }
    case 'failures': {
      const message = `Too many failed requests from this address: ${max} a minute may have a wrong API key, URL or method. Until that minute is over no key is taken from here, not even a right one. Correct what calls with a wrong one, and try again ${again}. The operator of this server sets this limit as server.floodGuard.failuresPerMinute.`
      return new WeirError('requestLimitExceeded', message, { retryAfterMs: ttl })
    }
  }
}

export default fp(floodGuard, {
  name: 'flood-guard',
  fastify: '5.x',
  // After usage, so that what it refuses is noted down as well.
  dependencies: ['internal-listener', 'metrics', 'usage'],
})
