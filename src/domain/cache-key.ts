/** Which requests have the same answer: the key under which an answer is kept. */
import { createHmac, hkdfSync, type KeyObject } from 'node:crypto'
import type { TopLevelField } from './body-scan.ts'
import type { Operation } from './field-policy.ts'

/** Whatever else is derived from a pepper needs another label. */
const secretLabel = 'weir:answer-cache:1'

/** The secret of answerKeyOf, the same on all replicas: 32 bytes (HKDF-SHA256, RFC 5869). */
export const deriveCacheSecret = (pepper: KeyObject): Buffer =>
  Buffer.from(hkdfSync('sha256', pepper, '', secretLabel, 32))

/** What decides the answer beside the request's own fields. */
export interface AnswerScope {
  readonly operation: Operation
  /** Null where accounts share the answers of the model. */
  readonly accountId: string | null
  /** The public name, aliases resolved. */
  readonly model: string
  /** Of the model; empty where the configuration names none. */
  readonly revision: string
  /** The tokens that each answer may have at most, which the tier has a part in; 0 for embeddings. */
  readonly outputBound: number
}

/** The fields of a request that go to a backend. */
export interface AnswerFields {
  /** Validated, nothing in it that stays here; each in the form in which it goes out. */
  readonly values: ReadonlyMap<string, unknown>
  /** The bytes that the fields were read from, and where each stands in them. */
  readonly bytes: Uint8Array
  readonly places: readonly TopLevelField[]
}

/** How an answer is told and not what it says, and what AnswerScope has already. */
const outside: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'stream_options',
  'encoding_format',
  'max_tokens',
  'max_completion_tokens',
])

/** Values that say what is the case without them, on every engine. What engines differ in, such as a temperature of 1, is none. */
const defaults: Readonly<Record<string, (value: unknown) => boolean>> = {
  n: value => value === 1,
  frequency_penalty: value => value === 0,
  presence_penalty: value => value === 0,
  logprobs: value => value === false,
  logit_bias: value => isEmpty(value),
  stop: value => isEmpty(value),
  tools: value => isEmpty(value),
  response_format: value => isObject(value) && value['type'] === 'text' && Object.keys(value).length === 1,
}

/**
 * Inside these the order of keys is a part of the prompt or of the grammar: engines write tools and schemas into it as they come.
 */
const ordered: ReadonlySet<string> = new Set([
  'tools',
  'tool_choice',
  'tool_calls',
  'response_format',
  'chat_template_kwargs',
])

/** Beyond it two numbers of a body may be one value here, and still two for the engine, which is sent the text. */
const maxExact = Number.MAX_SAFE_INTEGER

/** Names that JSON.parse moves to the front, in the order of their numbers. */
const isIndex = (name: string): boolean => /^\d+$/.test(name)

/**
 * The same for two requests only where their answers may be the same: HMAC-SHA256, in hex, over a text from which scope and
 * fields could be read back. Each piece has its kind and its length before it, so that nothing can move over a boundary.
 *
 * @param more distinguishes several answers of one request, as the input of one vector does.
 */
export function answerKeyOf(secret: Buffer, scope: AnswerScope, fields: AnswerFields, more?: unknown): string {
  const text = scopeText(scope) + fieldsText(fields) + (more === undefined ? '' : writeValue(more, false).text)
  return createHmac('sha256', secret).update(text).digest('hex')
}

const scopeText = ({ operation, accountId, model, revision, outputBound }: AnswerScope): string =>
  `1${writeText(operation)}${accountId === null ? '-' : writeText(accountId)}${writeText(model)}${writeText(revision)}${outputBound};`

function fieldsText({ values, bytes, places }: AnswerFields): string {
  let text = ''
  for (const name of [...values.keys()].sort(byUnits)) {
    const value = values.get(name)
    if (outside.has(name) || value === null || value === undefined || defaults[name]?.(value)) continue
    // One text that ends an answer may be written as a list of it.
    const meant = name === 'stop' && typeof value === 'string' ? [value] : value
    const written = writeValue(meant, ordered.has(name))
    text += writeText(name) + written.text
    if (!written.isExact) text += writeText(textOf(name, bytes, places))
  }
  return `${text}.`
}

/** As it was sent. */
function textOf(name: string, bytes: Uint8Array, places: readonly TopLevelField[]): string {
  const place = places.find(field => field.name === name)
  return place === undefined ? '' : Buffer.from(bytes.subarray(place.valueStart, place.end)).toString('utf8')
}

interface Written {
  readonly text: string
  /** False where the engine may see more in the text than is in the value: digits, a point, an order. */
  readonly isExact: boolean
}

const writeText = (text: string): string => `s${text.length}:${text}`

function writeValue(value: unknown, keepsOrder: boolean): Written {
  const pieces: string[] = []
  const isExact = write(value, keepsOrder, pieces)
  return { text: pieces.join(''), isExact }
}

/** Appends the value to the pieces; returns whether it is exact. */
function write(value: unknown, keepsOrder: boolean, pieces: string[]): boolean {
  if (typeof value === 'string') {
    pieces.push('s', String(value.length), ':', value)
    return true
  }
  if (typeof value === 'number') {
    pieces.push('n', Object.is(value, -0) ? '0' : String(value), ';')
    // Where it becomes a part of the prompt, 1 and 1.0 are two texts.
    return !keepsOrder && Math.abs(value) <= maxExact
  }
  if (typeof value !== 'object' || value === null) {
    pieces.push(value === true ? 't' : value === false ? 'f' : 'z')
    return true
  }
  if (Array.isArray(value)) {
    let isExact = true
    pieces.push('a', String(value.length), ':')
    for (const item of value) isExact = write(item, keepsOrder, pieces) && isExact
    return isExact
  }
  const names = Object.keys(value)
  let isExact = !(keepsOrder && names.some(isIndex))
  if (!keepsOrder) names.sort(byUnits)
  pieces.push('o', String(names.length), ':')
  for (const name of names) {
    pieces.push('s', String(name.length), ':', name)
    isExact = write((value as Record<string, unknown>)[name], keepsOrder || ordered.has(name), pieces) && isExact
  }
  return isExact
}

const byUnits = (a: string, b: string): number => (a < b ? -1 : 1)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isEmpty = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0
