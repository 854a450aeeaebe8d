/** Cuts a text into what the guard of the semantic cache compares: words, numbers, and what must be the same to the letter. */

import { units } from './guard-words.ts'
import { isNumberWord } from './number-words.ts'

export type GuardToken =
  /** A plain word of the Latin alphabet, in small letters. */
  | { readonly kind: 'word'; readonly text: string; readonly written: string; readonly isFirst: boolean }
  /** A number in digits: without the commas of its thousands. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'unit'; readonly text: string }
  /** Quoted, code, an identifier, a symbol, a word of another script: to the letter. */
  | { readonly kind: 'exact'; readonly text: string }

/** Code in backticks and what stands in quotation marks; a single mark counts where no letter stands before or behind. */
const quoted =
  /```[\s\S]*?```|`[^`\n]*`|"[^"\n]*"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|(?<![\p{L}\p{N}])'[^'\n]*(?:'(?=\p{L})[^'\n]*)*'(?![\p{L}\p{N}])|(?<![\p{L}\p{N}])‘[^’\n]*(?:’(?=\p{L})[^’\n]*)*’(?![\p{L}\p{N}])/gu

/** Parts of the text in their order. */
export function tokenize(text: string): readonly GuardToken[] {
  const whole = text.normalize('NFC')
  const tokens: GuardToken[] = []
  const state = { isFirst: true }
  let at = 0
  for (const { 0: match, index } of whole.matchAll(quoted)) {
    addChunks(tokens, whole.slice(at, index), state)
    // The marks themselves say nothing; what kind of quotation it is does not either.
    tokens.push({ kind: 'exact', text: `"${match.replace(/^(?:```|["'`“„«‘])|(?:```|["'`”“»’])$/gu, '')}` })
    state.isFirst = false
    at = index + match.length
  }
  addChunks(tokens, whole.slice(at), state)
  return tokens
}

const word = /^\p{Script=Latin}+(?:['’-]\p{Script=Latin}+)*$/u
const number =
  /^(?<sign>[-+−]?)(?<before>[$€£¥]?)(?<digits>\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?<after>[%°$€£¥]?\p{Script=Latin}*)$/u
/** A name that grew together: camelCase, iPhone, McDonald. */
const mixedCase = /\p{Ll}\p{Lu}/u

function addChunks(tokens: GuardToken[], text: string, state: { isFirst: boolean }): void {
  for (const chunk of text.split(/\s+/u)) {
    if (chunk === '') continue
    addChunk(tokens, chunk, state.isFirst)
    state.isFirst = /[.!?:]["')\]]*$/u.test(chunk)
  }
}

function addChunk(tokens: GuardToken[], chunk: string, isFirst: boolean): void {
  const body = chunk.replace(/^[([{¿¡]+/u, '').replace(/[)\]},;:.?…]+$/u, '')
  const plain = body.replace(/!+[?!]*$/u, '')
  if (plain === '' && /^[!?.,;:…()[\]{}¿¡]*$/u.test(chunk)) return
  if (word.test(plain) && !mixedCase.test(plain)) addWord(tokens, plain, isFirst)
  else if (!addNumber(tokens, body)) tokens.push({ kind: 'exact', text: body === '' ? chunk : body })
}

/** Whether the chunk was a number. Its decimals are as they are written: 1.20 is another version than 1.2, and 1.000 may be a thousand. */
function addNumber(tokens: GuardToken[], chunk: string): boolean {
  const { sign = '', before = '', digits, after = '' } = number.exec(chunk)?.groups ?? {}
  if (digits === undefined) return false
  const unit = units.get(after.toLowerCase())
  if (after !== '' && unit === undefined) return false
  tokens.push({
    kind: 'number',
    text: `${sign === '+' ? '' : sign.replace('−', '-')}${digits.replaceAll(',', '')}`,
  })
  if (before !== '') tokens.push({ kind: 'unit', text: units.get(before) ?? before })
  if (unit !== undefined) tokens.push({ kind: 'unit', text: unit })
  return true
}

const endings: readonly (readonly [ending: string, as: string])[] = [
  ["n't", 'not'],
  ["'m", 'am'],
  ["'re", 'are'],
  ["'ll", 'will'],
  ["'ve", 'have'],
  ["'d", 'would'],
]
/** Behind these 's is short for is. */
const beforeIs = /^(?:what|who|where|when|why|how|that|it|there|here|he|she)$/

function addWord(tokens: GuardToken[], written: string, isFirst: boolean): void {
  const parts = partsOf(written.toLowerCase().replaceAll('’', "'"))
  for (const [index, text] of parts.entries()) {
    tokens.push({ kind: 'word', text, written: parts.length === 1 ? written : '', isFirst: isFirst && index === 0 })
  }
}

/** The words that it is short for or made of. Others than English ones stay in one piece, but for the French n'. */
function partsOf(text: string): readonly string[] {
  if (text === "won't") return ['will', 'not']
  if (text === "can't" || text === 'cannot') return ['can', 'not']
  if (text.startsWith("n'")) return ['ne', text.slice(2)]
  if (text.endsWith("'s")) {
    const head = text.slice(0, -2)
    return [head, beforeIs.test(head) ? 'is' : "'s"]
  }
  for (const [ending, as] of endings) if (text.endsWith(ending)) return [text.slice(0, -ending.length), as]
  const pieces = text.split('-')
  return pieces.length > 1 && pieces.every(isNumberWord) ? pieces : [text]
}
