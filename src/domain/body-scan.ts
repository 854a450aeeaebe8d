import { WeirError } from '../errors.ts'

/**
 * What one body may hold, whatever its size in bytes. JSON.parse has no bounds of its own: it follows any depth, and
 * millions of tiny values cost far more time and memory than their bytes suggest. All are counted outside strings.
 */
export const bodyBounds = {
  depth: 64,
  /** One a key, so this bounds the keys. */
  colons: 25_000,
  commas: 500_000,
  /** Opening brackets and braces. */
  containers: 50_000,
  /** Keys and values alike. */
  strings: 100_000,
  /** Full stops and letters e: the numbers that are slow to read have one, and of the words `true` and `false`. */
  marks: 100_000,
  /** Fields of the top-level object. */
  fields: 512,
  /** Bytes in rows of more than 32 that are neither strings nor punctuation: nobody writes so many spaces, or such numbers. */
  rows: 2_000_000,
} as const

/** Where a field of the top-level object stands in the bytes of the body. */
export interface TopLevelField {
  /** The key, escapes decoded. */
  readonly name: string
  /** The offset of the key's opening quote. */
  readonly start: number
  /** The offset of the value's first byte. */
  readonly valueStart: number
  /** The offset after the value's last byte; a comma or the closing brace follows, perhaps after whitespace. */
  readonly end: number
}

export interface BodyScan {
  /** Colons outside strings: in valid JSON the number of keys, duplicates included. */
  readonly colons: number
  /** Opening brackets and braces outside strings: in valid JSON the number of objects and arrays. */
  readonly containers: number
  /** False where a string, an object or an array has no end, or something follows the end of all: no valid JSON. */
  readonly isClosed: boolean
  /** Whether a number could be too large for a double: it takes an exponent or hundreds of digits. */
  readonly mayOverflow: boolean
  /** `start, valueStart, end` of each top-level field in turn; meaningless unless the bytes are valid JSON. */
  readonly spans: readonly number[]
}

const quoteByte = 0x22
const backslashByte = 0x5c
const pointByte = 0x2e

/** What a byte outside strings means to the scan. */
const PLAIN = 0
const QUOTE = 1
const COLON = 2
const COMMA = 3
const OPEN = 4
const CLOSE = 5
const MARK = 6
const sorts = new Uint8Array(256)
for (const [characters, sort] of [
  ['"', QUOTE],
  [':', COLON],
  [',', COMMA],
  ['[{', OPEN],
  [']}', CLOSE],
  ['.eE', MARK],
] as const) {
  for (const character of characters) sorts[character.charCodeAt(0)] = sort
}

/** What is no space of JSON. */
const solid = new Uint8Array(256).fill(1)
for (const space of ' \n\r\t') solid[space.charCodeAt(0)] = 0

/** Bytes that are looked at one by one before it pays to search for the end of a string, or of a run, by larger steps. */
const nearBytes = 32
const rowsName = 'bytes of spaces or digits in long rows'
/** A number of fewer digits, and without an exponent, is within a double's range, which ends after 309. */
const longRun = 300

/**
 * Bounds a body and finds its top-level fields in one pass, before anything is parsed. It does not judge the grammar:
 * for bytes that JSON.parse accepts the result is exact, for others only the bounds hold.
 *
 * @throws WeirError `invalidRequest` when a bound is passed.
 */
export function scanBody(bytes: Uint8Array): BodyScan {
  const length = bytes.length
  const spans: number[] = []
  let depth = 0
  let colons = 0
  let commas = 0
  let containers = 0
  let strings = 0
  let marks = 0
  let rows = 0
  let key = 0
  let hasColon = false
  let valueStart = 0
  let mayOverflow = false
  let at = 0
  for (; at < length; at++) {
    let sort = sorts[bytes[at] as number]
    if (sort === PLAIN) {
      const start = at
      const near = Math.min(start + nearBytes, length - 1)
      while (sort === PLAIN && at < near) sort = sorts[bytes[++at] as number]
      if (sort === PLAIN) {
        at = endOfRun(sorts, bytes, at)
        rows += at - start
        if (rows > bodyBounds.rows) throw tooMany(rowsName, bodyBounds.rows)
        if (at === length) break
        if (at - start >= longRun) mayOverflow = true
        sort = sorts[bytes[at] as number]
      }
    }
    if (sort === QUOTE) {
      if (++strings > bodyBounds.strings) throw tooMany('strings', bodyBounds.strings)
      if (depth === 1 && !hasColon) key = at
      at = closingQuote(bytes, at + 1)
    } else if (sort === COLON) {
      if (++colons > bodyBounds.colons) throw tooMany('keys', bodyBounds.colons)
      if (depth === 1) {
        hasColon = true
        valueStart = endOfRun(solid, bytes, at + 1)
        if (valueStart - at > nearBytes) rows += valueStart - at - 1
        if (rows > bodyBounds.rows) throw tooMany(rowsName, bodyBounds.rows)
        at = valueStart - 1
      }
    } else if (sort === OPEN) {
      if (++containers > bodyBounds.containers) throw tooMany('objects and arrays', bodyBounds.containers)
      if (++depth > bodyBounds.depth) throw tooDeep(at)
    } else if (sort === MARK) {
      if (++marks > bodyBounds.marks) throw tooMany('fractions, exponents and booleans', bodyBounds.marks)
      if (isExponent(bytes, at)) mayOverflow = true
    } else {
      if (depth === 1 && hasColon) {
        if (spans.length >= 3 * bodyBounds.fields) throw tooMany('top-level fields', bodyBounds.fields)
        spans.push(key, valueStart, skipSpacesBack(bytes, at))
        hasColon = false
      }
      if (sort === COMMA) {
        if (++commas > bodyBounds.commas) throw tooMany('commas', bodyBounds.commas)
        // Where the top-level value ends only spaces may follow; anything else is for JSON.parse to refuse.
      } else if (--depth <= 0) break
    }
  }
  // Behind a string without end the loop stands one further than the length.
  let end = at
  if (depth === 0 && at < length) {
    end = endOfRun(solid, bytes, at + 1)
    if (rows + end - at - 1 > bodyBounds.rows) throw tooMany(rowsName, bodyBounds.rows)
  }
  return { colons, containers, isClosed: depth === 0 && end === length, mayOverflow, spans }
}

/**
 * The offset of the first byte from `from` on that a table does not hold a zero for; the length where there is none. A run
 * is not followed far beyond what a body may have of them.
 */
function endOfRun(table: Uint8Array, bytes: Uint8Array, from: number): number {
  const length = Math.min(bytes.length, from + bodyBounds.rows + 1)
  let at = from
  // Four bytes a branch take half the time.
  while (at + 4 <= length && isRunOfFour(table, bytes, at)) at += 4
  while (at < length && table[bytes[at] as number] === 0) at++
  return at
}

function isRunOfFour(table: Uint8Array, bytes: Uint8Array, at: number): boolean {
  const first = (table[bytes[at] as number] as number) | (table[bytes[at + 1] as number] as number)
  const last = (table[bytes[at + 2] as number] as number) | (table[bytes[at + 3] as number] as number)
  return (first | last) === 0
}

/** In valid JSON an exponent stands behind a digit, and the letter e of a word does not. */
function isExponent(bytes: Uint8Array, at: number): boolean {
  const before = bytes[at - 1] ?? 0
  return bytes[at] !== pointByte && before >= 0x30 && before <= 0x39
}

/** The offset of the quote that ends the string whose text begins at `from`; the length where there is none. */
function closingQuote(bytes: Uint8Array, from: number): number {
  const length = bytes.length
  let at = from
  for (;;) {
    const near = Math.min(at + nearBytes, length)
    while (at < near) {
      const byte = bytes[at]
      if (byte === quoteByte) return at
      at += byte === backslashByte ? 2 : 1
    }
    if (at >= length) return length
    const quote = bytes.indexOf(quoteByte, at)
    if (quote === -1) return length
    // A quote behind an odd run of backslashes belongs to the text; `at` itself never stands inside an escape.
    let run = quote
    while (run > at && bytes[run - 1] === backslashByte) run--
    if (((quote - run) & 1) === 0) return quote
    at = quote + 1
  }
}

/** Ends at the colon at the latest, which is no space. */
function skipSpacesBack(bytes: Uint8Array, end: number): number {
  let at = end
  while (solid[bytes[at - 1] as number] === 0) at--
  return at
}

function tooDeep(offset: number): WeirError {
  return new WeirError(
    'invalidRequest',
    `The request body is nested more than ${bodyBounds.depth} levels deep, at byte ${offset}.`,
  )
}

function tooMany(what: string, bound: number): WeirError {
  return new WeirError('invalidRequest', `The request body has more than ${bound} ${what}.`)
}
