import { formatPath, type PathStep } from '../schemas/param-path.ts'

/** What is wrong with a JSON text, and where. */
export interface JsonFault {
  readonly problem: string
  /** Such as `at line 3, column 14`. */
  readonly where: string
  /** The path of the field, where the fault is a field's and not the grammar's. */
  readonly path: string | undefined
}

/** Values, keys and escapes that are read before the search gives up: a long search for a fault would be an attack's reward. */
const maxTokens = 60_000
/** Lines are counted up to here, in UTF-16 units; beyond it the offset alone must do. */
const maxLineSearch = 1_000_000

/**
 * Reads a text by JSON's grammar (RFC 8259) to say where it goes wrong or repeats a key. JSON.parse says neither
 * reliably; this runs only once a body has been refused.
 *
 * @param text its depth must be bounded already: the reader recurses.
 * @returns the first fault; undefined where none is found.
 */
export function findJsonFault(text: string): JsonFault | undefined {
  const reader: Reader = { text, at: 0, path: [], tokens: 0 }
  try {
    readValue(reader)
    if (reader.at < text.length) throw found(reader, 'the end of the body')
    return undefined
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    return { problem: fault.message, where: `${fault.preposition} ${placeOf(text, fault.offset)}`, path: fault.path }
  }
}

/** The line and column of an offset, both from one; a column counts UTF-16 units, as editors do. */
function placeOf(text: string, offset: number): string {
  if (offset > maxLineSearch) return `character ${offset + 1}`
  let line = 1
  let lineStart = 0
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) {
    line++
    lineStart = at + 1
  }
  return `line ${line}, column ${offset - lineStart + 1}`
}

interface Reader {
  readonly text: string
  at: number
  readonly path: PathStep[]
  tokens: number
}

class Fault extends Error {
  readonly offset: number
  readonly path: string | undefined
  readonly preposition: 'at' | 'somewhere after'

  constructor(problem: string, offset: number, rest: { path?: string; preposition?: 'somewhere after' } = {}) {
    super(problem)
    this.offset = offset
    this.path = rest.path
    this.preposition = rest.preposition ?? 'at'
  }
}

/** Names a character without echoing more than one printable ASCII character of the body. */
function nameOf(text: string, at: number): string {
  const code = text.codePointAt(at)
  if (code === undefined) return 'the end of the body'
  if (code >= 0x20 && code < 0x7f) return `'${String.fromCharCode(code)}'`
  return `the character U+${code.toString(16).toUpperCase().padStart(4, '0')}`
}

function found(reader: Reader, expected: string): Fault {
  return new Fault(`expected ${expected}, found ${nameOf(reader.text, reader.at)}`, reader.at)
}

const spaces = /[ \n\r\t]*/y
const word = /true|false|null/y
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
/** What may stand in a string as it is: everything from the space on, but for quote and backslash. */
const plainText = /[ !#-\u005b\u005d-\uffff]*/y
const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

/** Moves past what a sticky pattern matches, if it does. */
function skip(reader: Reader, pattern: RegExp): boolean {
  pattern.lastIndex = reader.at
  if (!pattern.test(reader.text)) return false
  reader.at = pattern.lastIndex
  return true
}

function countToken(reader: Reader): void {
  if (++reader.tokens <= maxTokens) return
  throw new Fault('there is a fault', reader.at, { preposition: 'somewhere after' })
}

function take(reader: Reader, character: string): boolean {
  if (reader.text[reader.at] !== character) return false
  reader.at++
  return true
}

/** Mostly there are none, and to see that costs less than to ask a pattern. */
function skipSpaces(reader: Reader): void {
  if (reader.text.charCodeAt(reader.at) <= 0x20) skip(reader, spaces)
}

/** Reads one value and the spaces round it. */
function readValue(reader: Reader): void {
  skipSpaces(reader)
  countToken(reader)
  const first = reader.text[reader.at]
  if (first === '{') readObject(reader)
  else if (first === '[') readArray(reader)
  else if (first === '"') readString(reader)
  else if (!skip(reader, number) && !skip(reader, word)) throw found(reader, 'a value')
  skipSpaces(reader)
}

function readArray(reader: Reader): void {
  reader.at++
  skipSpaces(reader)
  if (take(reader, ']')) return
  for (let index = 0; ; index++) {
    reader.path.push(index)
    readValue(reader)
    reader.path.pop()
    if (take(reader, ']')) return
    if (!take(reader, ',')) throw found(reader, "',' or ']'")
  }
}

function readObject(reader: Reader): void {
  const keys = new Set<string>()
  reader.at++
  skipSpaces(reader)
  if (take(reader, '}')) return
  for (;;) {
    skipSpaces(reader)
    const start = reader.at
    if (reader.text[start] !== '"') throw found(reader, 'a key in double quotes')
    const key = readString(reader)
    reader.path.push(key)
    // One search of the set: it does not grow by a key that it has.
    const { size } = keys
    if (keys.add(key).size === size) {
      throw new Fault('a key stands twice in one object', start, { path: formatPath(reader.path) })
    }
    skipSpaces(reader)
    if (!take(reader, ':')) throw found(reader, "':'")
    readValue(reader)
    reader.path.pop()
    if (take(reader, '}')) return
    if (!take(reader, ',')) throw found(reader, "',' or '}'")
  }
}

function readString(reader: Reader): string {
  const { text } = reader
  const start = reader.at++
  let isPlain = true
  for (;;) {
    skip(reader, plainText)
    if (take(reader, '"')) break
    if (reader.at >= text.length) throw new Fault('a string is not closed before the end of the body, it begins', start)
    if (text[reader.at] !== '\\') {
      throw new Fault(`${nameOf(text, reader.at)} must be escaped in a string, found`, reader.at)
    }
    if (!skip(reader, escaped)) throw new Fault('a backslash begins none of the escapes JSON has', reader.at)
    countToken(reader)
    isPlain = false
  }
  return isPlain ? text.slice(start + 1, reader.at - 1) : JSON.parse(text.slice(start, reader.at))
}
