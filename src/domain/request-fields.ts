/**
 * What becomes of each field of a request: forwarded, accepted but not forwarded (OpenAI defines it, no engine serves it),
 * refused (only an engine knows it), or dropped and named. So the body a backend gets is an allow-list, whatever was sent.
 */
import { WeirError } from '../errors.ts'
import { ChatRequestSchema } from '../schemas/chat-request.ts'
import { CompletionRequestSchema } from '../schemas/completion-request.ts'
import type { EndpointName } from '../schemas/config/models.ts'
import { EmbeddingRequestSchema } from '../schemas/embedding-request.ts'
import type { TopLevelField } from './body-scan.ts'
import { isEngineOnly } from './engine-only-fields.ts'
import { buildShape, fits, type Shape, trim } from './shape.ts'

/** Known to OpenAI, served by no engine. */
const acceptedOnly = new Set([
  'audio',
  'best_of',
  'echo',
  'metadata',
  'modalities',
  'moderation',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'service_tier',
  'store',
  'user',
  'verbosity',
  'web_search_options',
])

/** Everything an operation's schema names, with the shape of what is in it. */
function shapesOf(schema: { readonly properties: object }): ReadonlyMap<string, Shape> {
  return new Map(Object.entries(schema.properties).map(([name, property]) => [name, buildShape(property)]))
}

const shapes: Record<EndpointName, ReadonlyMap<string, Shape>> = {
  chat: shapesOf(ChatRequestSchema),
  completions: shapesOf(CompletionRequestSchema),
  embeddings: shapesOf(EmbeddingRequestSchema),
}

/** As many as the header carries, and only such names as cannot be anything else than a name. */
const maxIgnored = 5
const harmlessName = /^[a-z_]{1,40}$/

export interface CheckedFields {
  /** To be copied from the caller's bytes. */
  readonly keep: readonly TopLevelField[]
  /** To be written anew, because something inside is not for the backend: JSON text by name. */
  readonly replaced: Readonly<Record<string, string>>
  /** Dropped, for `x-weir-ignored-fields`. */
  readonly ignored: readonly string[]
}

/**
 * Sorts the fields of a request that has passed its schema. Throws a WeirError `invalidRequest` for an engine-only field.
 */
export function checkFields(
  operation: EndpointName,
  fields: readonly TopLevelField[],
  body: Readonly<Record<string, unknown>>,
): CheckedFields {
  const known = shapes[operation]
  const keep: TopLevelField[] = []
  const ignored: string[] = []
  const replaced: Record<string, string> = {}
  for (const field of fields) {
    const { name } = field
    const shape = known.get(name)
    if (shape === undefined) {
      if (isEngineOnly(name)) throw engineOnly(name)
      if (ignored.length < maxIgnored && harmlessName.test(name)) ignored.push(name)
    } else if (!acceptedOnly.has(name) && body[name] !== null) {
      if (fits(shape, body[name])) keep.push(field)
      else replaced[name] = JSON.stringify(trim(shape, body[name]))
    }
  }
  return { keep, replaced, ignored }
}

const engineOnly = (name: string): WeirError =>
  new WeirError('invalidRequest', `'${name}' is a setting of the model server, not of this API: leave it out.`, {
    param: name,
  })
