/** Which prompts begin alike, so that they can go where their beginning is in a prompt cache already. */
import { hash, hkdfSync, type KeyObject } from 'node:crypto'
import type { ChatMessage } from '../schemas/chat-message.ts'
import type { TextOrTokens } from '../schemas/text-or-tokens.ts'
import type { Operation } from './field-policy.ts'
import type { PromptBody } from './token-estimate.ts'

/** Whatever else is derived from a pepper needs another label. */
const secretLabel = 'weir:prompt-prefix:1'

/** The secret of prefixKeyOf, the same on all replicas: 32 bytes in base64url (HKDF-SHA256, RFC 5869). */
export function derivePrefixSecret(pepper: KeyObject): string {
  return Buffer.from(hkdfSync('sha256', pepper, '', secretLabel, 32)).toString('base64url')
}

export interface PrefixedRequest {
  readonly operation: Operation
  /** Validated. */
  readonly body: PromptBody
  readonly accountId: string
}

/**
 * What stands for the beginning of a request's prompt: the same for every turn of a conversation, and most likely another
 * one for every other conversation, also where account and instructions are the same. Those spread over the backends:
 * instructions that are often used are soon in every backend's cache anyway, while a conversation is only where it went
 * before, and to keep all of them together would leave the caches of the other backends to nobody. It is the other way
 * round only with more sets of instructions than a cache can hold.
 *
 * It is a hash keyed by `secret`, so that nobody can make requests that all go to one backend, and of one account: what
 * others ask has no part in it.
 *
 * @returns 32 bits; null where a prompt is too short for its cache to be worth anything, and for embeddings, which have none.
 */
export function prefixKeyOf({ operation, body, accountId }: PrefixedRequest, secret: string): number | null {
  const prefix =
    operation === 'chat' ? openingOf(body.messages ?? []) : operation === 'completions' ? headOf(body.prompt) : null
  if (prefix === null) return null
  // In one piece, which takes half the time of an HMAC. Nobody gets to see it, so nobody can go on from it.
  return hash('sha256', `${secret}${accountId}\0${prefix}`, 'buffer').readUInt32LE()
}

/** In characters; about 120 tokens. */
const leastLength = 512

/**
 * The most that is looked at, in characters, of the instructions and of what comes behind them: enough to tell
 * conversations apart, and at most 12 KB to hash.
 */
const mostLength = 2048

/**
 * The messages up to and including the first one of the user: later turns only add to them. A short opening, such as a
 * greeting, is that of many conversations; there the messages behind it belong to it as well, as many as it takes. Null as
 * long as they do not suffice.
 */
function openingOf(messages: readonly ChatMessage[]): string | null {
  let opening = ''
  let left = mostLength
  let hasUser = false
  for (const message of messages) {
    if (message.role === 'user') {
      hasUser = true
      left = mostLength
    }
    if (left > 0) {
      const piece = `\0${message.role}\0${textOf(message, left)}`
      opening += piece
      left -= piece.length
    }
    if (hasUser && opening.length >= leastLength) return opening
  }
  return null
}

/** Its first `most` characters; of images and audio those that stand for them. */
function textOf({ content }: ChatMessage, most: number): string {
  if (typeof content === 'string') return content.slice(0, most)
  let text = ''
  for (const part of content ?? []) {
    if (text.length >= most) break
    text += partText(part).slice(0, most - text.length)
  }
  return text
}

type Part = Exclude<NonNullable<ChatMessage['content']>, string>[number]

function partText(part: Part): string {
  switch (part.type) {
    case 'text':
      return part.text
    case 'refusal':
      return part.refusal
    case 'image_url':
      return part.image_url.url
    case 'input_audio':
      return part.input_audio.data
  }
}

/**
 * The first characters of a prompt, or as many tokens as make about so many. Where its first turn ends cannot be seen, so it
 * is always the same number, and a prompt that is shorter has none: it would have another one in its next turn. Of several
 * prompts the first stands for all.
 */
function headOf(prompt: TextOrTokens | undefined): string | null {
  const [first] = Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt : [prompt as string | number[]]
  if (typeof first === 'string') return first.length < headLength ? null : first.slice(0, headLength)
  return Array.isArray(first) && first.length >= headTokens ? first.slice(0, headTokens).join() : null
}

const headLength = 1024
const headTokens = 256
