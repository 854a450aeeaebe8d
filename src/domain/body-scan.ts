import { WeirError } from '../errors.ts'

/**
 * What one body may hold, whatever its size in bytes. JSON.parse has no bounds of its own: it follows any depth, and
 * millions of tiny values cost far more time and memory than their bytes suggest. All are counted outside strings.
 */
export const bodyBounds = {
  depth: 64,
  /** One a key, so this bounds the keys. */
  colons: 50_000,
  commas: 1_000_000,
  /** Opening brackets and braces. */
  containers: 100_000,
  /** Keys and values alike. */
  strings: 200_000,
  /** Full stops and letters e: the numbers that are slow to read have one, and of the words `true` and `false`. */
  marks: 200_000,
  /** Fields of the top-level object. */
  fields: 512,
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
  /** `start, valueStart, end` of each top-level field in turn; meaningless unless the bytes are valid JSON. */
  readonly spans: readonly number[]
}

const quoteByte = 0x22
const backslashByte = 0x5c

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

/** Bytes of a string that are looked at one by one before a search for its closing quote pays for its call. */
const nearBytes = 32

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
  let key = 0
  let colon = -1
  for (let at = 0; at < length; at++) {
    const sort = sorts[bytes[at] as number]
    if (sort === PLAIN) continue
    if (sort === QUOTE) {
      if (++strings > bodyBounds.strings) throw tooMany('strings', bodyBounds.strings)
      if (depth === 1 && colon === -1) key = at
      at = closingQuote(bytes, at + 1)
    } else if (sort === COLON) {
      if (++colons > bodyBounds.colons) throw tooMany('keys', bodyBounds.colons)
      if (depth === 1) colon = at
    } else if (sort === OPEN) {
      if (++containers > bodyBounds.containers) throw tooMany('objects and arrays', bodyBounds.containers)
      if (++depth > bodyBounds.depth) throw tooDeep(at)
    } else if (sort === MARK) {
      if (++marks > bodyBounds.marks) throw tooMany('fractions, exponents and booleans', bodyBounds.marks)
    } else {
      if (depth === 1 && colon !== -1) {
        if (spans.length >= 3 * bodyBounds.fields) throw tooMany('top-level fields', bodyBounds.fields)
        spans.push(key, skipSpaces(bytes, colon + 1), skipSpacesBack(bytes, at))
        colon = -1
      }
      if (sort === COMMA) {
        if (++commas > bodyBounds.commas) throw tooMany('commas', bodyBounds.commas)
        // Where the top-level value ends only spaces may follow; anything else is for JSON.parse to refuse.
      } else if (--depth <= 0) break
    }
  }
  return { colons, spans }
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

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function skipSpaces(bytes: Uint8Array, from: number): number {
  let at = from
  while (isSpace(bytes[at])) at++
  return at
}

function skipSpacesBack(bytes: Uint8Array, end: number): number {
  let at = end
  while (isSpace(bytes[at - 1])) at--
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
