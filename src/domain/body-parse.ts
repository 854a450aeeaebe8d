import { type Buffer, isAscii, isUtf8 } from 'node:buffer'
import { WeirError } from '../errors.ts'
import { formatPath, type PathStep } from '../schemas/param-path.ts'
import { type BodyScan, scanBody, type TopLevelField } from './body-scan.ts'
import { findJsonFault } from './json-fault.ts'
import { findLoneSurrogate } from './surrogate-escape.ts'

/** The bytes of a body and where its top-level fields stand in them, so that it can be cut and joined unparsed. */
export interface ScannedBody {
  readonly bytes: Buffer
  /** In the order of the text, each name once. */
  readonly fields: readonly TopLevelField[]
}

export interface ParsedBody extends ScannedBody {
  readonly value: Readonly<Record<string, unknown>>
}

/**
 * From bytes to an object that is safe to work with: UTF-8, within the bounds, no key twice, no key that could reach a
 * prototype, every number finite, every string well-formed. Whether its fields make sense is the schema's to say.
 *
 * @throws WeirError `invalidRequest`, with `param` where one field is at fault.
 */
export function parseBody(bytes: Buffer): ParsedBody {
  const scan = admit(bytes)
  // Only an escape can bring a lone surrogate into valid UTF-8, and many bodies hold none.
  return finish(bytes, scan, { value: parseObject(bytes, scan), checkStrings: bytes.includes(0x5c) })
}

/**
 * The same for a body of megabytes, which costs tens of milliseconds: it lets others work between the steps.
 *
 * @param pause resolves in a later turn of the event loop.
 */
export async function parseLargeBody(bytes: Buffer, pause: () => Promise<void>): Promise<ParsedBody> {
  const scan = admit(bytes)
  await pause()
  if (!scan.isClosed) throw explainSyntax(bytes.toString('utf8'))
  // One escape makes a text twice as wide, which for a long one takes more time than all the rest: seen before it is read.
  refuseLoneSurrogate(bytes, scan)
  await pause()
  const value = parseObject(bytes, scan)
  await pause()
  const body = finish(bytes, scan, { value, checkStrings: false })
  await pause()
  return body
}

function admit(bytes: Buffer): BodyScan {
  if (bytes.length === 0) throw new WeirError('invalidRequest', 'The request body is empty: send a JSON object.')
  requireUtf8(bytes)
  return scanBody(bytes)
}

interface Read {
  readonly value: Record<string, unknown>
  /** Whether lone surrogates are still to be looked for. */
  readonly checkStrings: boolean
}

function finish(bytes: Buffer, scan: BodyScan, { value, checkStrings }: Read): ParsedBody {
  const { colons, containers, mayOverflow, spans } = scan
  const keys = countKeys(value, { left: containers, checkNumbers: mayOverflow, checkStrings })
  if (keys !== colons) throw Number.isNaN(keys) ? explainRefusal(value) : explainDuplicate(bytes)
  return { value, bytes, fields: nameFields(bytes, spans, Object.keys(value)) }
}

/** Names the top-level field that it stands in. Bytes that are no JSON are for JSON.parse to refuse. */
function refuseLoneSurrogate(bytes: Buffer, { spans }: BodyScan): void {
  const at = findLoneSurrogate(bytes)
  if (at === -1) return
  const message = `The request body holds half of a surrogate pair (\\ud800 to \\udfff), at byte ${at}.`
  const index = spans.findIndex((end, place) => place % 3 === 2 && at < end)
  const [start = 0, valueStart = 0] = spans.slice(index - 2, index)
  const param = index === -1 || at < valueStart ? undefined : readKey(bytes, start, valueStart)
  throw new WeirError('invalidRequest', message, param === undefined ? {} : { param })
}

function requireUtf8(bytes: Buffer): void {
  // Most bodies are ASCII, which is the cheaper question.
  if (isAscii(bytes)) return
  if (!isUtf8(bytes)) throw new WeirError('invalidRequest', 'The request body is not valid UTF-8.')
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new WeirError('invalidRequest', 'The request body begins with a byte order mark: send plain UTF-8.')
  }
}

function parseObject(bytes: Buffer, { isClosed }: BodyScan): Record<string, unknown> {
  const text = bytes.toString('utf8')
  // JSON.parse would find no more than is known, and looks long for the line.
  if (!isClosed) throw explainSyntax(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw explainSyntax(text, error)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  const what = Array.isArray(value) ? 'an array' : value === null ? 'null' : `a ${typeof value}`
  throw new WeirError('invalidRequest', `The request body must be a JSON object; it is ${what}.`)
}

interface Walk {
  /** Objects and arrays that have not been met yet, if no key stands twice: nothing is looked through for them in vain. */
  left: number
  readonly checkNumbers: boolean
  readonly checkStrings: boolean
}

/** Counts the keys of a value, or answers NaN where it holds something that is refused. Recursion is bounded by depth. */
function countKeys(value: object, walk: Walk): number {
  walk.left--
  return Array.isArray(value)
    ? countKeysOfItems(value, walk)
    : countKeysOfFields(value as Record<string, unknown>, walk)
}

function countKeysOfItems(items: readonly unknown[], walk: Walk): number {
  // A native search, which for a million numbers takes a tenth of the time of a loop.
  if (walk.checkNumbers && (items.includes(Number.POSITIVE_INFINITY) || items.includes(Number.NEGATIVE_INFINITY))) {
    return Number.NaN
  }
  let count = 0
  for (let index = 0; index < items.length && (walk.left > 0 || walk.checkStrings); index++) {
    const item = items[index]
    if (typeof item === 'object' && item !== null) count += countKeys(item, walk)
    else if (walk.checkStrings && isRefusedScalar(item)) return Number.NaN
  }
  return count
}

function countKeysOfFields(record: Readonly<Record<string, unknown>>, walk: Walk): number {
  const { left, checkNumbers, checkStrings } = walk
  if (left === 0 && !checkNumbers && !checkStrings) {
    // A constructor is refused for the object in it, and none is left.
    return Object.hasOwn(record, '__proto__') ? Number.NaN : Object.keys(record).length
  }
  let count = 0
  for (const key in record) {
    count++
    const item = record[key]
    if (isRefusedKey(key, item) || (checkStrings && !key.isWellFormed())) return Number.NaN
    if (typeof item === 'object' && item !== null) count += countKeys(item, walk)
    else if ((checkNumbers || checkStrings) && isRefusedScalar(item)) return Number.NaN
  }
  return count
}

function isRefusedKey(key: string, value: unknown): boolean {
  if (key === '__proto__') return true
  return key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')
}

function isRefusedScalar(item: unknown): boolean {
  if (typeof item === 'number') return !Number.isFinite(item)
  return typeof item === 'string' && !item.isWellFormed()
}

/** JSON.parse keeps the text's order of keys, except that it moves those that look like indices to the front. */
function nameFields(bytes: Buffer, spans: readonly number[], names: readonly string[]): TopLevelField[] {
  const first = names[0]?.charCodeAt(0) ?? 0
  const inOrder = first < 0x30 || first > 0x39
  const fields: TopLevelField[] = []
  for (let index = 0; index < spans.length; index += 3) {
    const start = spans[index] as number
    const valueStart = spans[index + 1] as number
    const name = inOrder ? (names[index / 3] as string) : readKey(bytes, start, valueStart)
    fields.push({ name, start, valueStart, end: spans[index + 2] as number })
  }
  return fields
}

function readKey(bytes: Buffer, start: number, valueStart: number): string {
  return JSON.parse(bytes.toString('utf8', start, bytes.lastIndexOf(0x22, bytes.lastIndexOf(0x3a, valueStart - 1)) + 1))
}

/** @param cause why JSON.parse refused it, where it was asked. */
function explainSyntax(text: string, cause?: unknown): WeirError {
  const fault = findJsonFault(text)
  if (fault === undefined) return new WeirError('invalidRequest', 'The request body is not valid JSON.', { cause })
  return new WeirError('invalidRequest', `The request body is not valid JSON: ${fault.problem}, ${fault.where}.`)
}

function explainDuplicate(bytes: Buffer): WeirError {
  const param = findJsonFault(bytes.toString('utf8'))?.path
  if (param === undefined) return new WeirError('invalidRequest', 'The request body has a key twice in one object.')
  return new WeirError('invalidRequest', `${param} stands twice in the same object.`, { param })
}

/** Finds again, slowly, what the count has met, and says where it is. */
function explainRefusal(value: object): WeirError {
  const refused = findRefused(value)
  if (refused === undefined)
    return new WeirError('invalidRequest', 'The request body holds a value that is not allowed.')
  const param = formatPath(refused.steps.toReversed())
  return new WeirError('invalidRequest', `${param} ${refused.problem}.`, { param })
}

interface Refused {
  readonly problem: string
  /** The way to it, innermost step first. */
  readonly steps: PathStep[]
}

function findRefused(value: object): Refused | undefined {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const refused = findRefusedIn(value[index])
      if (refused !== undefined) return { ...refused, steps: [...refused.steps, index] }
    }
    return undefined
  }
  for (const [key, item] of Object.entries(value)) {
    const problem = isRefusedKey(key, item)
      ? key === '__proto__'
        ? 'is a key that is not allowed'
        : 'may not hold a key named prototype'
      : key.isWellFormed()
        ? undefined
        : 'is a key with half of a surrogate pair'
    if (problem !== undefined) return { problem, steps: [key] }
    const refused = findRefusedIn(item)
    if (refused !== undefined) return { ...refused, steps: [...refused.steps, key] }
  }
  return undefined
}

function findRefusedIn(item: unknown): Refused | undefined {
  if (typeof item === 'object' && item !== null) return findRefused(item)
  if (!isRefusedScalar(item)) return undefined
  const problem =
    typeof item === 'number' ? 'is too large for a number' : 'holds half of a surrogate pair (\\ud800 to \\udfff)'
  return { problem, steps: [] }
}
