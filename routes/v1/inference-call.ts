import type { FastifyReply, FastifyRequest } from 'fastify'
import { getPrincipal } from '../../plugins/auth.ts'
import type { Call, CallRecord } from '../../src/backend/call.ts'
import type { Engine } from '../../src/backend/engine.ts'
import type { Model } from '../../src/domain/catalog.ts'
import { boundOutputTokens } from '../../src/domain/output-bound.ts'
import { checkFields, findMaxTokens } from '../../src/domain/request-fields.ts'
import { narrowToNamedTool, rewriteFields } from '../../src/domain/request-rewrites.ts'
import { spliceBody } from '../../src/domain/splice-body.ts'
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
  /** Prompts in the request: more than one only where a completion has a list of them. */
  readonly prompts: number
}

/**
 * Builds the call for a request that has been authorized. Names the fields that were dropped in `x-weir-ignored-fields`.
 * Throws a WeirError for fields that only an engine knows.
 */
export function buildCall(request: FastifyRequest, reply: FastifyReply, { operation, prompts }: CallOptions): Call {
  const { model: found, scannedBody: scanned } = request
  if (found === null || scanned === undefined) throw new Error('buildCall needs an authorized request with a body')
  const body = request.body as InferenceBody
  const { keep, ignored } = checkFields(operation, scanned)
  if (ignored.length > 0) reply.header('x-weir-ignored-fields', ignored.join(', '))
  const fields = request.body as Record<string, unknown>
  const rewritten = rewriteFields(operation, fields)

  const record: CallRecord = { backend: null, attempts: 0, firstContentAt: null, usage: null, fault: null }
  request.call = record
  const { accountId, tier } = getPrincipal(request)
  const tierMaxTokens = request.server.catalog.tiers[tier]?.maxTokens
  const choicesPerPrompt = body.n ?? 1

  return {
    operation,
    model: found.model,
    askedModel: found.asked,
    choices: choicesPerPrompt * prompts,
    choicesPerPrompt,
    stream: body.stream === true,
    includeUsage: body.stream_options?.include_usage === true,
    record,
    buildBody: (target, engine, stream) => {
      const texts = new Map<string, string | null>([['model', JSON.stringify(target.model)]])
      const narrowed = engine.readsNamedToolChoice ? undefined : narrowToNamedTool(fields, rewritten)
      for (const [name, value] of narrowed ?? rewritten ?? []) texts.set(name, JSON.stringify(value))
      if (operation !== 'embeddings') {
        const bound = boundOutputTokens({
          asked: findMaxTokens(body) ?? null,
          tierDefault: tierMaxTokens?.default ?? null,
          tierCap: tierMaxTokens?.cap ?? null,
          modelMax: found.model.maxOutputTokens,
          contextLength: found.model.contextLength,
          bodyBytes: scanned.bytes.length,
          mustFitContext: engine.refusesBoundBeyondContext,
        })
        texts.set('max_tokens', String(bound)).set('max_completion_tokens', null)
        texts.set('stream', String(stream)).set('stream_options', stream ? '{"include_usage":true}' : null)
        setPromptCache(texts, { model: found.model, engine, accountId })
      }
      return spliceBody(scanned.bytes, keep, texts)
    },
  }
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
