/** Which requests another one's answer may be found for by meaning, and within what it is looked for. */
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import type { ChatMessage } from '../schemas/chat-message.ts'
import type { ChatRequest } from '../schemas/chat-request.ts'
import { type GuardLevel, marksOf, maxQuestionChars, signMarks } from './semantic-guard.ts'

/** Whatever else is derived from a pepper needs another label. */
const secretLabel = 'weir:semantic-cache:1'

/** Keys scopes and guards, the same on all replicas: 32 bytes (HKDF-SHA256, RFC 5869). */
export function deriveSemanticSecret(pepper: KeyObject): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', pepper, '', secretLabel, 32)))
}

/** Why nothing is looked for: what the request asks for must be exact, or the last turn is not all that is asked. */
export type Unasked = 'tools' | 'format' | 'turns' | 'content' | 'length'

export type Asked =
  | { readonly kind: 'question'; readonly text: string; readonly context: unknown }
  | { readonly kind: 'unasked'; readonly reason: Unasked }

/** How the answer is given and for whom, but not what is in it. `model` is in the scope by its own name. */
const beside: ReadonlySet<string> = new Set([
  ...['model', 'stream', 'stream_options', 'user', 'metadata', 'safety_identifier', 'prompt_cache_key', 'store'],
  ...['prompt_cache_retention', 'prompt_cache_options', 'service_tier', 'moderation', 'modalities', 'audio', 'cache'],
  // The bound in force is in the scope, whichever of them it comes from.
  ...['max_tokens', 'max_completion_tokens'],
])

/**
 * The last turn of a validated chat request, and everything else that its answer depends on. `depth`: the most turns of the
 * user that a conversation may have; those before the last one must be the same to the letter.
 */
export function askedBy(body: ChatRequest, depth: number): Asked {
  const { messages, tools, tool_choice: toolChoice, response_format: format } = body
  const last = messages.at(-1)
  if ((tools?.length ?? 0) > 0 || (toolChoice ?? null) !== null || messages.some(isOfTools)) return unasked('tools')
  if ((format ?? null) !== null && format?.type !== 'text') return unasked('format')
  if (last?.role !== 'user' || messages.filter(({ role }) => role === 'user').length > depth) return unasked('turns')
  const text = textOf(last)
  if (text === null || text.trim() === '') return unasked('content')
  if (text.length > maxQuestionChars) return unasked('length')
  const { content: _content, ...frame } = last
  const fields = Object.entries(body).filter(([name]) => !beside.has(name))
  return {
    kind: 'question',
    text,
    context: { ...Object.fromEntries(fields), messages: [...messages.slice(0, -1), frame] },
  }
}

const unasked = (reason: Unasked): Asked => ({ kind: 'unasked', reason })

const isOfTools = (message: ChatMessage): boolean =>
  message.role === 'tool' ||
  message.role === 'function' ||
  (message.role === 'assistant' && ((message.tool_calls?.length ?? 0) > 0 || (message.function_call ?? null) !== null))

/** Null where it is not text alone. */
function textOf({ content }: Extract<ChatMessage, { role: 'user' }>): string | null {
  if (typeof content === 'string') return content
  const texts = content.map(part => (part.type === 'text' ? part.text : null))
  return texts.includes(null) ? null : texts.join('\n')
}

export interface Within {
  readonly accountId: string
  readonly model: string
  readonly revision: string
  /** In tokens, as it holds for the call. */
  readonly outputBound: number
  readonly embeddingModel: string
  readonly embeddingRevision: string
  readonly guard: GuardLevel
  /** Of `askedBy`. */
  readonly context: unknown
}

/** Two questions are compared only where this is the same for both: HMAC-SHA256 in base64url. Tells nothing of what it is made of. */
export function scopeOf({ context, ...facts }: Within, secret: KeyObject): string {
  const hmac = createHmac('sha256', secret).update('weir:semantic-scope:1\0')
  for (const part of [...Object.entries(facts).sort(byName).flat().map(String), canonicalJson(context)]) {
    hmac.update(`${Buffer.byteLength(part)}\0${part}`)
  }
  return hmac.digest('base64url')
}

/** What the question itself must have in common with another one; see marksOf. */
export const guardOf = (text: string, level: GuardLevel, secret: KeyObject): string =>
  signMarks(marksOf(text, level), secret)

const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number =>
  one < other ? -1 : one > other ? 1 : 0

/** Keys in order; fields that are null count as if never given, as they do on the way to an engine. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each
    return Object.fromEntries(
      Object.entries(each)
        .filter(([, field]) => field !== null)
        .sort(byName),
    )
  })
}
