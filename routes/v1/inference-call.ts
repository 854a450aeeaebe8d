import type { FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify'
import { getPrincipal } from '../../plugins/auth.ts'
import { getConfiguration } from '../../plugins/configuration.ts'
import { getInference } from '../../plugins/limits.ts'
import { type Call, type Caller, newRecord } from '../../src/backend/call.ts'
import type { Engine } from '../../src/backend/engine.ts'
import type { TopLevelField } from '../../src/domain/body-scan.ts'
import type { Model } from '../../src/domain/catalog.ts'
import { type Demand, demandOf, orDemand } from '../../src/domain/demand.ts'
import { boundOutputTokens } from '../../src/domain/output-bound.ts'
import { prefixKeyOf } from '../../src/domain/prompt-prefix.ts'
import { checkFields, findMaxTokens } from '../../src/domain/request-fields.ts'
import { narrowToNamedTool, rewriteFields } from '../../src/domain/request-rewrites.ts'
import { spliceBody } from '../../src/domain/splice-body.ts'
import { coversModel } from '../../src/domain/tier-advice.ts'
import { estimatePromptTokens, type PromptBody } from '../../src/domain/token-estimate.ts'
import { WeirError } from '../../src/errors.ts'
import type { EndpointName } from '../../src/schemas/config/models.ts'

/** What the three operations have in common, as far as it shapes the call. */
interface InferenceBody {
  readonly stream?: boolean | null
  readonly stream_options?: { readonly include_usage?: boolean | null } | null
  readonly n?: number | null
  readonly max_tokens?: number | null
  readonly max_completion_tokens?: number | null
}

export interface CallOptions {
  readonly operation: EndpointName
  /** Prompts in the request, or inputs: more than one only where a completion or embedding has a list of them. */
  readonly prompts: number
}

/**
 * A preHandler hook for after authorize: checks what the schema cannot, and works out the call and what it may cost at most,
 * before anything is reserved for it. `read` checks the body and may throw a WeirError, as may the fields of the body.
 */
export function prepare(read: (request: FastifyRequest) => CallOptions): preHandlerHookHandler {
  return (request, reply, done) => {
    try {
      const options = read(request)
      const call = buildCall(request, reply, options)
      request.inference = { call, ...demandFor(request, call) }
      done()
    } catch (error) {
      done(error as Error)
    }
  }
}

/** The call that was prepared, now that it is made; and its copy is sent, where another arm is to have one. */
export function takeCall(request: FastifyRequest): Call {
  const { call } = getInference(request)
  request.call = call.record
  request.server.backends.copy(request, call)
  return call
}

/** What the call may cost at most, by the estimate of its prompt or by its engine's own count. */
function demandFor(request: FastifyRequest, call: Call) {
  const { server, scannedBody: scanned } = request
  if (scanned === undefined) throw new Error('a demand needs a body')
  const { operation, fallbacks } = call
  const configuration = getConfiguration(request)
  const { tier } = getPrincipal(request)
  const pricedAtMs = Date.now()
  const estimate = (model: Model): number =>
    estimatePromptTokens({ operation, scanned, body: request.body as PromptBody, model })
  const demandWith = (model: Model, promptTokens: number): Demand =>
    demandOf({
      promptTokens,
      outputBound: operation === 'embeddings' ? 0 : outputBoundOf(request, model, false),
      choices: call.choices,
      operation,
      model,
      atMs: pricedAtMs,
      longestMs: configuration.tiers[tier]?.totalDeadlineMs ?? 0,
    })
  // Whichever model answers, by its own bounds and prices. Only the engine of the first one counts, and for itself alone.
  const demandOfAll = (promptTokens: number): Demand =>
    fallbacks.reduce(
      (demand, model) => orDemand(demand, demandWith(model, estimate(model))),
      demandWith(call.model, promptTokens),
    )
  return {
    pricedAtMs,
    demand: demandOfAll(estimate(call.model)),
    recount: async (signal: AbortSignal) => {
      const promptTokens = await server.backends.countPrompt(call, configuration, signal)
      return promptTokens === null ? null : demandOfAll(promptTokens)
    },
  }
}

/** The bound on each choice's output; `mustFitContext` where the engine refuses one that does not fit beside the prompt. */
function outputBoundOf(request: FastifyRequest, model: Model, mustFitContext: boolean): number {
  const { maxTokens } = getConfiguration(request).tiers[getPrincipal(request).tier] ?? {}
  return boundOutputTokens({
    asked: findMaxTokens(request.body as InferenceBody) ?? null,
    tierDefault: maxTokens?.default ?? null,
    tierCap: maxTokens?.cap ?? null,
    modelMax: model.maxOutputTokens,
    contextLength: model.contextLength,
    bodyBytes: request.scannedBody?.bytes.length ?? 0,
    mustFitContext,
  })
}

/**
 * Builds the call for a request that has been authorized. Names the fields that were dropped in `x-weir-ignored-fields`.
 * Throws a WeirError for fields that only an engine knows.
 */
function buildCall(request: FastifyRequest, reply: FastifyReply, { operation, prompts }: CallOptions): Call {
  const { model: found, scannedBody: scanned } = request
  if (found === null || scanned === undefined) throw new Error('buildCall needs an authorized request with a body')
  const body = request.body as InferenceBody
  const { keep, ignored } = checkFields(operation, scanned)
  if (ignored.length > 0) reply.header('x-weir-ignored-fields', ignored.join(', '))
  const fields = request.body as Record<string, unknown>
  const rewritten = rewriteFields(operation, fields)

  const { accountId } = getPrincipal(request)
  const { experiments, backends } = request.server
  const choicesPerPrompt = body.n ?? 1

  return {
    operation,
    model: experiments.answering(found.model),
    fallbacks: fallbacksOf(request, found.model),
    askedModel: found.asked,
    // The vectors of several inputs are one answer.
    choices: operation === 'embeddings' ? 1 : choicesPerPrompt * prompts,
    choicesPerPrompt,
    stream: body.stream === true,
    includeUsage: body.stream_options?.include_usage === true,
    caller: callerOf(request),
    arm: experiments.assign(request, found.model)?.arm ?? null,
    prefixKey: () => prefixKeyOf({ operation, body: request.body as PromptBody, accountId }, backends.prefixSecret),
    trace: request.trace,
    record: newRecord(),
    asks: () => ({
      fields: { values: valuesOf(fields, keep, rewritten), bytes: scanned.bytes, places: keep },
      outputBound: operation === 'embeddings' ? 0 : outputBoundOf(request, found.model, false),
    }),
    buildBody: ({ model, target, engine, stream, instead }) => {
      const texts = new Map<string, string | null>([['model', JSON.stringify(target.model)]])
      const narrowed = engine.readsNamedToolChoice ? undefined : narrowToNamedTool(fields, rewritten)
      for (const [name, value] of narrowed ?? rewritten ?? []) texts.set(name, JSON.stringify(value))
      if (operation !== 'embeddings') {
        const bound = outputBoundOf(request, model, engine.refusesBoundBeyondContext)
        texts.set('max_tokens', String(bound)).set('max_completion_tokens', null)
        texts.set('stream', String(stream)).set('stream_options', stream ? '{"include_usage":true}' : null)
        setPromptCache(texts, { model, engine, accountId })
      }
      for (const [name, text] of instead ?? []) texts.set(name, text)
      return spliceBody(scanned.bytes, keep, texts)
    },
  }
}

/** The fields that go on, each as it goes out. */
const valuesOf = (
  fields: Readonly<Record<string, unknown>>,
  keep: readonly TopLevelField[],
  rewritten: ReadonlyMap<string, unknown> | undefined,
): ReadonlyMap<string, unknown> =>
  new Map([...keep.map(({ name }) => [name, fields[name]] as const), ...(rewritten ?? [])])

/** One after the other; the configuration has no circles. Whoever may not use one of them goes on to the next. */
function fallbacksOf(request: FastifyRequest, { fallback }: Model): readonly Model[] {
  const next = fallback === null ? undefined : request.server.catalog.of(getConfiguration(request)).find(fallback)
  if (next === undefined) return noModels
  const others = fallbacksOf(request, next)
  if (!coversModel(getPrincipal(request).models, next)) return others
  return [request.server.experiments.answering(next), ...others]
}

const noModels: readonly Model[] = []

/** Who goes first, and how long at the most: by the tier, or shorter where the caller says so. Throws a WeirError. */
function callerOf(request: FastifyRequest): Caller {
  const { accountId, tier } = getPrincipal(request)
  const { priority = 0, queueWaitMs = 0, totalDeadlineMs = 0 } = getConfiguration(request).tiers[tier] ?? {}
  const askedMs = readTimeoutMs(request.headers['x-request-timeout-ms'])
  const deadlineMs = request.startedAt + Math.min(askedMs ?? totalDeadlineMs, totalDeadlineMs)
  return { account: accountId, tier, priority, queueWaitMs, deadlineMs }
}

function readTimeoutMs(header: string | string[] | undefined): number | null {
  if (header === undefined) return null
  if (typeof header === 'string' && /^[1-9]\d{0,8}$/.test(header)) return Number(header)
  const message = 'The header x-request-timeout-ms must be a whole number of milliseconds, such as 30000.'
  throw new WeirError('invalidRequest', message, { param: 'x-request-timeout-ms' })
}

interface PromptCacheOptions {
  readonly model: Model
  readonly engine: Engine
  readonly accountId: string
}

/** Where a model keeps accounts from learning what others asked, the engine must not share its prompt cache among them. */
function setPromptCache(texts: Map<string, string | null>, { model, engine, accountId }: PromptCacheOptions): void {
  if (model.promptCache === 'shared') return
  switch (engine.name) {
    case 'llama-server':
      texts.set('cache_prompt', 'false')
      return
    case 'vllm':
      texts.set('cache_salt', JSON.stringify(accountId))
      return
    case 'ollama':
    case 'openai':
      return
  }
}
