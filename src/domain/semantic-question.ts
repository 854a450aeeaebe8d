/** Which requests another one's answer may be found for by meaning, and within what it is looked for. */
import type { ChatMessage } from '../schemas/chat-message.ts'
import type { ChatRequest } from '../schemas/chat-request.ts'
import type { GuardLevel } from '../schemas/guard-level.ts'
import { type AnswerFields, type AnswerScope, answerKeyOf } from './cache-key.ts'
import { marksOf, maxQuestionChars, signMarks } from './semantic-guard.ts'

/** Why nothing is looked for: what the request asks for must be exact, or the last turn is not all that is asked. */
export type Unasked = 'tools' | 'format' | 'turns' | 'content' | 'length'

export type Asked =
  /** `before`: all messages without the content of the last one. */
  | { readonly kind: 'question'; readonly text: string; readonly before: readonly object[] }
  | { readonly kind: 'unasked'; readonly reason: Unasked }

/**
 * What a validated chat request asks in its last turn. `depth`: the most turns of the user that a conversation may have; those
 * before the last one must be the same to the letter.
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
  return { kind: 'question', text, before: [...messages.slice(0, -1), frame] }
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

/** By what vectors are made and compared. */
export interface Comparison {
  readonly embeddingModel: string
  readonly embeddingRevision: string
  readonly guard: GuardLevel
}

/**
 * Two questions are compared only where this is the same for both: the key of the request's answer, as if its question were not
 * in it. `scope` has the account also where accounts share answers.
 */
export function scopeOf(
  secret: Buffer,
  scope: AnswerScope & { readonly accountId: string },
  fields: AnswerFields,
  { before, embeddingModel, embeddingRevision, guard }: Comparison & { readonly before: readonly object[] },
): string {
  const values = new Map(fields.values).set('messages', before)
  return answerKeyOf(secret, scope, { ...fields, values }, ['semantic', embeddingModel, embeddingRevision, guard])
}

/** What the question itself must have in common with another one; see marksOf. */
export const guardOf = (text: string, level: GuardLevel, secret: Buffer): string =>
  signMarks(marksOf(text, level), secret)
