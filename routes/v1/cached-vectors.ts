/** Embeddings of models with a cache: each input is looked for by itself, and a backend is asked for the rest. */
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { VectorUse } from '../../plugins/cache.ts'
import type { Call } from '../../src/backend/call.ts'
import { envelope } from '../../src/backend/envelope.ts'
import type { StoredVector } from '../../src/cache/entry.ts'
import { type Input, shareTokens } from '../../src/cache/vector-inputs.ts'
import type { Json } from '../../src/domain/chat-event.ts'
import { convertVector, type EncodingFormat } from '../../src/domain/embedding.ts'
import { WeirError } from '../../src/errors.ts'
import { type VectorItem, vectorItems } from './vector-items.ts'

export interface CachedVectors {
  readonly use: VectorUse
  readonly call: Call
  readonly reply: FastifyReply
  readonly inputs: readonly Input[]
  readonly format: EncodingFormat
  readonly dimensions: number | undefined
}

/** With the key of each input. */
interface Asked extends CachedVectors {
  readonly keys: readonly string[]
}

/** An input that nobody has the vector of, once however often it is there. */
interface Missing {
  readonly key: string
  readonly input: Input
}

/** The body; null where the caller left. Rejects with a WeirError. */
export async function embedCached(app: FastifyInstance, given: CachedVectors): Promise<Json | null> {
  const { use, reply, inputs } = given
  const keys = use.keysOf(inputs)
  const asked: Asked = { ...given, keys }
  const { found, moment } = await app.cache.findVectors(keys, use)
  if (reply.raw.destroyed) return null
  const known = new Map<string, StoredVector>()
  const missing = new Map<string, Missing>()
  for (const [index, key] of keys.entries()) {
    const stored = found[index] ?? null
    const input = inputs[index] ?? ''
    if (stored !== null) known.set(key, stored)
    else missing.set(key, { key, input })
  }
  noteFound(app, asked, { known, missing: missing.size })
  const asking = [...missing.values()]
  if (asking.length === 0) return bodyOf(asked, { known, fresh: noVectors })
  const fresh = await askFor(app, { asked, asking, moment, mayFallBack: known.size === 0 }).catch(error =>
    mayFallBackWhole(asked, error) ? 'whole' : Promise.reject(error),
  )
  if (fresh !== 'whole') return fresh === null ? null : bodyOf(asked, { known, fresh })
  const all = keys.map((key, index): Missing => ({ key, input: inputs[index] ?? '' }))
  const others = await askFor(app, { asked, asking: all, moment, mayFallBack: true })
  return others === null ? null : bodyOf(asked, { known: new Map(), fresh: others })
}

/** The vectors of two models are no one answer: where a fallback is to make those that are missing, it makes all. */
function mayFallBackWhole({ call, reply }: CachedVectors, error: unknown): boolean {
  const isFailure = error instanceof WeirError && error.statusCode >= 500
  const isStopping = call.record.fault?.kind === 'shutdown'
  if (!isFailure || isStopping || call.fallbacks.length === 0 || reply.raw.destroyed) return false
  call.record.fault = null
  reply.header('x-weir-cached-inputs', '0')
  return true
}

interface Fresh {
  /** By the key of the input. */
  readonly items: ReadonlyMap<string, VectorItem>
  readonly inputTokens: number
}

const noVectors: Fresh = { items: new Map(), inputTokens: 0 }

interface Asking {
  readonly asked: CachedVectors
  readonly asking: readonly Missing[]
  readonly moment: string | null
  readonly mayFallBack: boolean
}

/** Asks a backend, alone or with others who ask for the same inputs at the same time. */
async function askFor(app: FastifyInstance, { asked, asking, moment, mayFallBack }: Asking): Promise<Fresh | null> {
  const { use, call, reply, format, dimensions } = asked
  await app.backends.ready(call)
  if (reply.raw.destroyed) return null
  const leader = callFor(mayFallBack ? call : { ...call, fallbacks: [] }, asking, asked.inputs.length)
  for (;;) {
    const { flight, isNew } = app.flights.board({
      key: use.maxAgeMs === null ? null : `${digestOf(asking)}/${format}/${moment ?? ''}`,
      leader,
      priceShare: use.caching.priceShare,
      run: (made, receiver) => app.backends.run(reply.request, made, receiver),
    })
    const member = flight.joinWhole(call, reply.raw)
    if (isNew) flight.start()
    try {
      const outcome = await member.outcome
      if (outcome === null) return null
      if (outcome === 'again') continue
      const given = vectorItems(call, outcome.body, { count: asking.length, format, dimensions })
      const items = given.toSorted((a, b) => Number(a['index']) - Number(b['index']))
      const inputTokens = tokensOf(outcome.body)
      // Whoever pays keeps it, also where that is not the first one any more.
      const isOwn = outcome.answeredBy === call.model.id
      if (outcome.wasPayer && !isOwn) app.meters.cache.unkept(call.model.id, 'fallback')
      if (outcome.wasPayer && isOwn && moment !== null) void keep(app, { use, asking, items, inputTokens, moment })
      return { items: new Map(asking.map(({ key }, index) => [key, items[index] ?? { embedding: [] }])), inputTokens }
    } finally {
      reply.headers(app.backends.routingHeaders(reply.request, call))
    }
  }
}

/** The same call for those inputs alone. */
function callFor(call: Call, asking: readonly Missing[], inputs: number): Call {
  if (asking.length === inputs) return call
  const instead = new Map([['input', JSON.stringify(asking.map(({ input }) => input))]])
  return { ...call, buildBody: sending => call.buildBody({ ...sending, instead }) }
}

const digestOf = (asking: readonly Missing[]): string =>
  createHash('sha256')
    .update(asking.map(({ key }) => key).join())
    .digest('hex')

interface Kept {
  readonly use: VectorUse
  readonly asking: readonly Missing[]
  readonly items: readonly VectorItem[]
  readonly inputTokens: number
  readonly moment: string
}

async function keep(app: FastifyInstance, { use, asking, items, inputTokens, moment }: Kept): Promise<void> {
  const shares = shareTokens(
    asking.map(({ input }) => input),
    inputTokens,
  )
  const atMs = Date.now()
  const vectors = asking.flatMap(({ key }, index) => {
    const vector = convertVector(items[index]?.embedding, 'float')
    return Array.isArray(vector) ? [{ key, atMs, inputTokens: shares[index] ?? 0, vector }] : []
  })
  await app.cache.keepVectors(vectors, { belonging: use.belonging, caching: use.caching, moment })
}

/** In the order of the inputs. */
function bodyOf(
  { use, keys, call, format }: Asked,
  { known, fresh }: { readonly known: ReadonlyMap<string, StoredVector>; readonly fresh: Fresh },
): Json {
  const { record } = call
  let knownTokens = 0
  const data = keys.map((key, index): VectorItem => {
    const stored = known.get(key)
    if (stored === undefined) return { ...(fresh.items.get(key) ?? { embedding: [] }), index }
    knownTokens += stored.inputTokens
    return { object: 'embedding', index, embedding: convertVector(stored.vector, format) ?? [] }
  })
  if (known.size > 0) {
    // What others asked for at the same time is reused as well.
    const inputTokens = knownTokens + (record.reused?.usage.inputTokens ?? 0)
    const usage = { inputTokens, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: null }
    record.reused = { usage, priceShare: use.caching.priceShare }
    record.firstContentAt ??= performance.now()
  }
  const tokens = knownTokens + fresh.inputTokens
  return { ...envelope(call), data, model: call.askedModel, usage: { prompt_tokens: tokens, total_tokens: tokens } }
}

/** As answerFor has put it there; 0 where the engine does not say. */
function tokensOf({ usage }: Json): number {
  const tokens = (usage as Json | undefined)?.['prompt_tokens']
  return typeof tokens === 'number' ? tokens : 0
}

/** It is a hit where no backend is asked. */
function noteFound(
  app: FastifyInstance,
  { use, keys, call, reply }: Asked,
  { known, missing }: { readonly known: ReadonlyMap<string, StoredVector>; readonly missing: number },
): void {
  if (use.maxAgeMs === null) return
  const { cache } = app.meters
  cache.answered(call.model.id, missing === 0 ? 'hit' : 'miss')
  cache.items(call.model.id, { hits: known.size, misses: missing })
  reply.header('x-weir-cache', missing === 0 ? 'hit' : 'miss')
  reply.header('x-weir-cached-inputs', String(keys.filter(key => known.has(key)).length))
  if (missing > 0) return
  const oldestMs = Math.min(...Array.from(known.values(), ({ atMs }) => atMs))
  reply.header('age', String(Math.max(0, Math.floor((Date.now() - oldestMs) / 1000))))
}
