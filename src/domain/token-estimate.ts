/** How many tokens a prompt can have at most, without a tokenizer: those can be made to run for minutes. */
import type { ChatMessage } from '../schemas/chat-message.ts'
import type { TextOrTokens } from '../schemas/text-or-tokens.ts'
import type { ScannedBody } from './body-parse.ts'
import type { Model } from './catalog.ts'
import type { Operation } from './field-policy.ts'

/** Those fields of a validated body that can be prompts. */
export interface PromptBody {
  readonly messages?: readonly ChatMessage[]
  readonly prompt?: TextOrTokens
  readonly suffix?: string | null
  readonly input?: TextOrTokens
}

export interface Prompt {
  readonly operation: Operation
  readonly scanned: ScannedBody
  readonly body: PromptBody
  readonly model: Pick<Model, 'contextLength' | 'imageTokens'>
}

/** What an engine puts into the prompt by itself: the marks of its template, where the answer begins. */
const templateTokens = 64

/** What may stand in a prompt: the values of a template's variables and the form of the answer do, with some templates. */
const promptFields: Readonly<Record<Operation, ReadonlySet<string>>> = {
  chat: new Set(['messages', 'tools', 'functions', 'response_format', 'chat_template_kwargs']),
  completions: new Set(['prompt', 'suffix']),
  embeddings: new Set(['input']),
}

/**
 * An upper bound of the tokens of all prompts of a request.
 *
 * No token is shorter than a byte, so text has at most as many as bytes. Those of its JSON are counted where it stands in the
 * body: what quotes, brackets and keys have beside the text covers what a chat template writes round each message. An image
 * counts as its model says, whatever its size in bytes. Prompts that are token numbers already are counted exactly. What is
 * longer than the model's context is refused by the engine and takes no more than that.
 */
export function estimatePromptTokens({ operation, scanned, body, model }: Prompt): number {
  const prompt = operation === 'completions' ? body.prompt : operation === 'embeddings' ? body.input : undefined
  const given = countTokens(prompt)
  const tokens =
    given === undefined
      ? countBytes(operation, scanned) + templateTokens + mediaTokens(operation, { scanned, body, model })
      : given + (operation === 'completions' && body.suffix ? Buffer.byteLength(body.suffix) + templateTokens : 0)
  return Math.min(tokens, (model.contextLength ?? Number.POSITIVE_INFINITY) * countPrompts(prompt))
}

/** A list of texts or of token lists is several prompts. */
function countPrompts(prompt: TextOrTokens | undefined): number {
  return Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1
}

/** Undefined for text. */
function countTokens(prompt: TextOrTokens | undefined): number | undefined {
  if (!Array.isArray(prompt) || typeof prompt[0] === 'string') return undefined
  if (typeof prompt[0] === 'number') return prompt.length
  return (prompt as readonly (readonly number[])[]).reduce((sum, { length }) => sum + length, 0)
}

function countBytes(operation: Operation, { fields }: ScannedBody): number {
  const names = promptFields[operation]
  let bytes = 0
  for (const { name, valueStart, end } of fields) if (names.has(name)) bytes += end - valueStart
  return bytes
}

/**
 * The tokens of images and audio, less the bytes that are theirs and no text. Audio takes more the longer it is, and how
 * long is not known without decoding it: engines take at most 25 tokens for a second, which at 40 kbit/s is 6,667
 * characters of base64.
 */
function mediaTokens(operation: Operation, { scanned, body, model }: Omit<Prompt, 'operation'>): number {
  if (operation !== 'chat' || body.messages === undefined) return 0
  let tokens = 0
  let mediaBytes = 0
  for (const { content } of body.messages) {
    if (typeof content === 'string' || !Array.isArray(content)) continue
    for (const part of content) {
      if (part.type === 'image_url') {
        tokens += model.imageTokens
        const { url } = part.image_url
        if (url.startsWith('data:')) mediaBytes += url.length
      } else if (part.type === 'input_audio') {
        const { length } = part.input_audio.data
        tokens += model.imageTokens + Math.ceil(length / audioCharactersPerToken)
        mediaBytes += length
      }
    }
  }
  return mediaBytes === 0 ? tokens : tokens - mediaBytes - countEscapeBytes(scanned)
}

const audioCharactersPerToken = 256

/** An escape costs about 50 ns to find; beyond this many the rest counts as if it were text. */
const maxEscapes = 100_000

/**
 * The bytes by which escapes in the messages are longer than what they stand for. PHP writes every slash of base64 as `\/`,
 * .NET every plus as `\u002B`: uncounted, an image would count by its size after all. To leave out all of them, also those in
 * text, is as safe: what stays is at least the text's own bytes.
 */
function countEscapeBytes({ bytes, fields }: ScannedBody): number {
  const field = fields.find(({ name }) => name === 'messages')
  if (field === undefined) return 0
  let extra = 0
  let at = bytes.indexOf(backslash, field.valueStart)
  for (let found = 0; at !== -1 && at < field.end && found < maxEscapes; found++) {
    const isLong = bytes[at + 1] === letterU
    extra += !isLong ? 1 : isAsciiEscape(bytes, at) ? 5 : 3
    at = bytes.indexOf(backslash, at + (isLong ? 6 : 2))
  }
  return extra
}

const backslash = 0x5c
const letterU = 0x75
const zero = 0x30

/** `\u0000` to `\u007f` stand for one byte; all others for at least two, or half of four, and at most three. */
const isAsciiEscape = (bytes: Uint8Array, at: number): boolean =>
  bytes[at + 2] === zero && bytes[at + 3] === zero && (bytes[at + 4] ?? 0xff) <= 0x37
