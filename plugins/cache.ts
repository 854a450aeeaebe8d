import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import type { Call } from '../src/backend/call.ts'
import { AnswerCache, type Lookup } from '../src/cache/answer-cache.ts'
import type { StoredAnswer } from '../src/cache/entry.ts'
import { Flights } from '../src/cache/flights.ts'
import { type Input, inputKeysOf } from '../src/cache/vector-inputs.ts'
import type { Config } from '../src/config.ts'
import { newestPepper } from '../src/domain/api-key.ts'
import { type AnswerScope, answerKeyOf, deriveCacheSecret } from '../src/domain/cache-key.ts'
import { type AnswerCaching, asksForOneAnswer, decideCaching } from '../src/domain/cache-policy.ts'
import type { Belonging, ResponseStore } from '../src/domain/response-store.ts'
import { ProcessResponses } from '../src/embedded/responses.ts'
import { reasonOf } from '../src/log/describe-error.ts'
import type { CacheField } from '../src/schemas/sampling.ts'
import { connectRedis } from '../src/store/redis-client.ts'
import { RedisResponses, responsesConnection } from '../src/store/responses.ts'
import { getPrincipal } from './auth.ts'
import { getInference } from './limits.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Answers that may be given again. */
    readonly cache: AnswerCache
    /** Calls that several requests wait for together. */
    readonly flights: Flights
    /**
     * A preHandler hook for after the inference has been prepared: begins to look for its answer, and waits for nothing; vectors
     * are looked for later. Where its model has no cache, it does nothing.
     */
    readonly lookUp: preHandlerHookHandler
  }
  interface FastifyRequest {
    /** Where its answer is looked for and kept; null where it is neither. */
    cacheUse: CacheUse | null
  }
}

interface Use {
  readonly belonging: Belonging
  readonly caching: AnswerCaching
  /** Of a kept answer; null where none is looked for, and the new one takes its place. */
  readonly maxAgeMs: number | null
}

/** Of a chat or a completion. */
export interface AnswerUse extends Use {
  readonly kind: 'answer'
  readonly key: string
  readonly lookup: Promise<Lookup<StoredAnswer>>
}

/** Of embeddings, each of whose inputs has a key of its own. */
export interface VectorUse extends Use {
  readonly kind: 'vectors'
  /** Not before the request is let in: a small one may ask for megabytes of vectors. */
  readonly keysOf: (inputs: readonly Input[]) => readonly string[]
}

export type CacheUse = AnswerUse | VectorUse

interface CacheOptions {
  readonly config: Pick<Config, 'cache' | 'stores'>
}

/** Of the events of one answer, as many times what may be kept of it: an event says a token in twenty times its length. */
const eventsPerEntry = 4
/** Who comes when so many wait for the same asks by itself. */
const maxMembers = 4096

export default fp<CacheOptions>(
  async (app, { config }) => {
    const { maxEntryBytes } = config.cache
    const cache = new AnswerCache({
      store: buildStore(app, config),
      secret: deriveCacheSecret(newestPepper(app.peppers)),
      maxEntryBytes,
      meters: app.meters.cache,
      onTrouble: error =>
        app.log.warn(
          { reason: reasonOf(error) },
          'cache: the store does not answer; every look-up is a miss until it does',
        ),
    })
    app.decorate('cache', cache)
    app.decorate('flights', new Flights({ maxLength: eventsPerEntry * maxEntryBytes, maxMembers }))
    app.decorateRequest('cacheUse', null)
    app.decorate('lookUp', (request, reply, done) => {
      try {
        request.cacheUse = useFor(request, reply, cache)
        done()
      } catch (error) {
        done(error as Error)
      }
    })
  },
  { name: 'cache', fastify: '5.x', dependencies: ['metrics', 'auth', 'limits', 'backends'] },
)

function buildStore(app: FastifyInstance, { cache, stores }: CacheOptions['config']): ResponseStore {
  const { maxSizeBytes: maxBytes, maxEntryBytes } = cache
  const { setBytes: onBytes, evicted: onEvicted } = app.meters.cache
  const bounds = { maxBytes, maxEntryBytes, onBytes, onEvicted }
  if (stores.redisUrl === undefined) return new ProcessResponses(bounds)
  const client = connectRedis(stores.redisUrl, responsesConnection)
  // What is wrong with Redis is said once, by the plugin redis.
  client.on('error', () => {})
  app.addHook('onClose', async () => client.disconnect())
  return new RedisResponses({ client, ...bounds })
}

function useFor(request: FastifyRequest, reply: FastifyReply, cache: AnswerCache): CacheUse | null {
  const { call } = getInference(request)
  const { caching } = call.model
  if (caching === undefined) return null
  const body = request.body as {
    readonly cache?: CacheField | null
    readonly temperature?: unknown
    readonly seed?: unknown
  }
  const decision = decideCaching({
    caching,
    cacheControl: request.headers['cache-control'],
    field: body.cache,
    isDeterministic: call.operation === 'embeddings' || asksForOneAnswer(body),
    isCompared: call.arm !== null,
  })
  if (decision.kind === 'bypass') {
    request.server.meters.cache.bypassed(call.model.id, decision.reason)
    reply.header('x-weir-cache', 'bypass')
    if (!decision.mayStore) return null
  }
  const maxAgeMs = decision.kind === 'lookup' ? decision.maxAgeMs : null
  const { accountId } = getPrincipal(request)
  const belonging = { owner: caching.isShared ? 'shared' : accountId, model: call.model.id }
  return beginUse(cache, call, { accountId, use: { belonging, caching, maxAgeMs } })
}

function beginUse(
  cache: AnswerCache,
  call: Call,
  { accountId, use }: { readonly accountId: string; readonly use: Use },
): CacheUse {
  const { operation, model } = call
  const { fields, outputBound } = call.asks()
  const { isShared, revision } = use.caching
  const scope: AnswerScope = {
    operation,
    accountId: isShared ? null : accountId,
    model: model.id,
    revision,
    outputBound,
  }
  if (operation === 'embeddings') {
    return { kind: 'vectors', ...use, keysOf: inputs => inputKeysOf(cache.secret, scope, fields, inputs) }
  }
  const key = answerKeyOf(cache.secret, scope, fields)
  return { kind: 'answer', ...use, key, lookup: cache.find({ key, ...use }) }
}
