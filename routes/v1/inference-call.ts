import type { FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify'
import { getPrincipal } from '../../plugins/auth.ts'
import { getConfiguration } from '../../plugins/configuration.ts'
import { getInference } from '../../plugins/limits.ts'
import type { Call, Caller, CallRecord } from '../../src/backend/call.ts'
import type { Engine } from '../../src/backend/engine.ts'
import type { Model } from '../../src/domain/catalog.ts'
import { type Demand, demandOf } from '../../src/domain/demand.ts'
import { boundOutputTokens } from '../../src/domain/output-bound.ts'
import { priceAt } from '../../src/domain/price.ts'
import { prefixKeyOf } from '../../src/domain/prompt-prefix.ts'
import { checkFields, findMaxTokens } from '../../src/domain/request-fields.ts'
import { narrowToNamedTool, rewriteFields } from '../../src/domain/request-rewrites.ts'
import { spliceBody } from '../../src/domain/splice-body.ts'
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

/** The call that was prepared, now that it is made. */
export function takeCall(request: FastifyRequest): Call {
  const { call } = getInference(request)
  request.call = call.record
  return call
}

/** What the call may cost at most, by the estimate of its prompt or by its engine's own count. */
function demandFor(request: FastifyRequest, call: Call) {
  const { server, scannedBody: scanned } = request
  if (scanned === undefined) throw new Error('a demand needs a body')
  const { model, operation } = call
  const configuration = getConfiguration(request)
  const { tier } = getPrincipal(request)
  const price = priceAt(model.prices, Date.now())
  const demandWith = (promptTokens: number): Demand =>
    demandOf({
      promptTokens,
      outputBound: operation === 'embeddings' ? 0 : outputBoundOf(request, call, false),
      choices: call.choices,
      model,
      price,
      longestMs: configuration.tiers[tier]?.totalDeadlineMs ?? 0,
    })
  return {
    price,
    demand: demandWith(estimatePromptTokens({ operation, scanned, body: request.body as PromptBody, model })),
    recount: async (signal: AbortSignal) => {
      const promptTokens = await server.backends.countPrompt(call, configuration, signal)
      return promptTokens === null ? null : demandWith(promptTokens)
    },
  }
}

/** The bound on each choice's output; `mustFitContext` where the engine refuses one that does not fit beside the prompt. */
function outputBoundOf(request: FastifyRequest, { model }: Pick<Call, 'model'>, mustFitContext: boolean): number {
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

  const record: CallRecord = {
    backend: null,
    model: null,
    attempts: 0,
    tries: [],
    firstContentAt: null,
    usage: null,
    fault: null,
  }
  const { accountId } = getPrincipal(request)
  const choicesPerPrompt = body.n ?? 1

  return {
    operation,
    model: found.model,
    askedModel: found.asked,
    // The vectors of several inputs are one answer.
    choices: operation === 'embeddings' ? 1 : choicesPerPrompt * prompts,
    choicesPerPrompt,
    stream: body.stream === true,
    includeUsage: body.stream_options?.include_usage === true,
    caller: callerOf(request),
    prefixKey: () =>
      prefixKeyOf({ operation, body: request.body as PromptBody, accountId }, request.server.backends.prefixSecret),
    record,
    buildBody: (target, engine, stream) => {
      const texts = new Map<string, string | null>([['model', JSON.stringify(target.model)]])
      const narrowed = engine.readsNamedToolChoice ? undefined : narrowToNamedTool(fields, rewritten)
      for (const [name, value] of narrowed ?? rewritten ?? []) texts.set(name, JSON.stringify(value))
      if (operation !== 'embeddings') {
        const bound = outputBoundOf(request, found, engine.refusesBoundBeyondContext)
        texts.set('max_tokens', String(bound)).set('max_completion_tokens', null)
        texts.set('stream', String(stream)).set('stream_options', stream ? '{"include_usage":true}' : null)
        setPromptCache(texts, { model: found.model, engine, accountId })
      }
      return spliceBody(scanned.bytes, keep, texts)
    },
  }
}

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
