import type { FastifyReply, FastifyRequest } from 'fastify'
import { getPrincipal } from '../../plugins/auth.ts'
import type { Call, CallRecord } from '../../src/backend/call.ts'
import type { Engine } from '../../src/backend/engine.ts'
import { buildRequestBody } from '../../src/backend/request-body.ts'
import type { Model } from '../../src/domain/catalog.ts'
import { boundOutputTokens } from '../../src/domain/output-bound.ts'
import { checkFields } from '../../src/domain/request-fields.ts'
import type { EndpointName } from '../../src/schemas/config/models.ts'

/** What the three operations have in common, as far as it shapes the call. */
interface InferenceBody {
  readonly stream?: boolean | null
  readonly stream_options?: { readonly include_usage?: boolean | null } | null
  readonly n?: number | null
  readonly max_tokens?: number | null
  readonly max_completion_tokens?: number | null
}

/** Fields that the gateway writes itself; the caller's are read, never copied. */
const written = new Set(['model', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens'])

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
  const { keep, ignored, replaced } = checkFields(operation, scanned.fields, request.body as Record<string, unknown>)
  if (ignored.length > 0) reply.header('x-weir-ignored-fields', ignored.join(', '))

  const record: CallRecord = { backend: null, attempts: 0, firstContentAt: null, usage: null, fault: null }
  request.call = record
  const kept = keep.filter(field => !written.has(field.name))
  const { accountId, tier } = getPrincipal(request)
  const tierMaxTokens = request.server.catalog.tiers[tier]?.maxTokens
  const choicesPerPrompt = body.n ?? 1
  const askedTokens = body.max_completion_tokens ?? body.max_tokens ?? null

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
      const overrides: Record<string, string> = { model: JSON.stringify(target.model), ...replaced }
      if (operation !== 'embeddings') {
        const bound = boundOutputTokens({
          asked: askedTokens,
          tierDefault: tierMaxTokens?.default ?? null,
          tierCap: tierMaxTokens?.cap ?? null,
          modelMax: found.model.maxOutputTokens,
          contextLength: found.model.contextLength,
          bodyBytes: scanned.bytes.length,
          mustFitContext: engine.refusesBoundBeyondContext,
        })
        overrides['max_tokens'] = String(bound)
        overrides['stream'] = String(stream)
        if (stream) overrides['stream_options'] = '{"include_usage":true}'
        Object.assign(overrides, promptCacheFields(found.model, engine, accountId))
      }
      return buildRequestBody(scanned.bytes, kept, overrides)
    },
  }
}

/** Where a model keeps accounts from learning what others asked, the engine must not share its prompt cache among them. */
function promptCacheFields(model: Model, engine: Engine, accountId: string): Record<string, string> {
  if (model.promptCache === 'shared') return {}
  switch (engine.name) {
    case 'llama-server':
      return { cache_prompt: 'false' }
    case 'vllm':
      return { cache_salt: JSON.stringify(accountId) }
    case 'ollama':
    case 'openai':
      return {}
  }
}
