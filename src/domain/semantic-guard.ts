/**
 * What two questions must have in common, whatever an embedding thinks of them. Embeddings see the topic: 5 and 50, with and
 * without, France and Germany lie next to each other. So all that tells one question from another is taken out of the text
 * into marks, and the marks of both must be the same, in the same order.
 */
import { createHmac } from 'node:crypto'
import type { GuardLevel } from '../schemas/guard-level.ts'
import { type GuardToken, tokenize } from './guard-tokens.ts'
import { isCommon, isCompared, isOpening, isTurned, tellingWords, units } from './guard-words.ts'
import { readNumberWords, scaleOf } from './number-words.ts'
import { unframe } from './question-frame.ts'

type Word = Extract<GuardToken, { kind: 'word' }>

/** Longer ones are not compared: one word more or less no longer moves their vector. In characters. */
export const maxQuestionChars = 4000

/** The marks of a text, in their order. Texts with other marks are other questions. */
export function marksOf(text: string, level: GuardLevel): readonly string[] {
  const makeWord = (text: string): GuardToken => ({ kind: 'word', text, written: text, isFirst: false })
  const tokens = unframe(tokenize(text), makeWord)
  const hasSmall = /\p{Ll}/u.test(text)
  const words = tokens.map(token => (token.kind === 'word' ? token.text : ''))
  const marks: string[] = []
  for (let at = 0; at < tokens.length; ) {
    const token = tokens[at]
    if (token === undefined) break
    const number = readNumber(tokens, words, at)
    if (number !== null) {
      marks.push(`#${number.text}`)
      at += number.tokens
      const unit = unitAt(tokens, at)
      if (unit === null) continue
      marks.push(`u${unit}`)
      at += 1
      continue
    }
    const mark = markOf(token, { level, hasSmall, previous: words[at - 1] ?? '' })
    if (mark !== null) marks.push(mark)
    at += 1
  }
  return marks
}

/** Stands for the marks and tells nothing of them: HMAC-SHA256 over each with its length, in base64url. */
export function signMarks(marks: readonly string[], secret: Buffer): string {
  const hmac = createHmac('sha256', secret).update(`weir:semantic-guard:1\0${marks.length}\0`)
  for (const mark of marks) hmac.update(`${Buffer.byteLength(mark)}\0${mark}`)
  return hmac.digest('base64url')
}

interface Place {
  readonly level: GuardLevel
  /** Whether the text has small letters at all, so that capitals say something. */
  readonly hasSmall: boolean
  readonly previous: string
}

function markOf(token: GuardToken, place: Place): string | null {
  switch (token.kind) {
    case 'word':
      return markOfWord(token, place)
    case 'number':
      return `#${token.text}`
    case 'unit':
      return `u${token.text}`
    case 'exact':
      return `=${token.text}`
  }
}

function markOfWord(word: Word, { level, hasSmall, previous }: Place): string | null {
  const { text, written, isFirst } = word
  const isCapital = hasSmall && /^\p{Lu}/u.test(written) && text !== 'i'
  const isShout = isCapital && written.length > 1 && written === written.toUpperCase()
  // US and us, May and may: only where it cannot be the beginning of a sentence.
  if (isCommon(text) && (isShout || (isCapital && !isFirst))) return `N${written}`
  if (level === 'words') return `w${text}`
  if (isCapital && !(isFirst && isOpening(text))) return `w${text}`
  // How many is not how long.
  if (previous === 'how' && text !== 'to') return `w${text}`
  return tellingWords.has(text) || isTurned(text) || isCompared(text) ? `w${text}` : null
}

/** The number that begins here, in digits or in words, with what multiplies it. */
function readNumber(
  tokens: readonly GuardToken[],
  words: readonly string[],
  at: number,
): { readonly text: string; readonly tokens: number } | null {
  const token = tokens[at]
  if (token?.kind === 'word') {
    const read = readNumberWords(words, at)
    return read === null ? null : { text: String(read.value), tokens: read.words }
  }
  if (token?.kind !== 'number') return null
  const scale = scaleOf(words[at + 1] ?? '')
  // Only whole ones: 1.5 million stays in two marks, which is another way to write it than 1,500,000.
  if (scale === undefined || !/^-?\d+$/.test(token.text)) return { text: token.text, tokens: 1 }
  return { text: String(BigInt(token.text) * scale), tokens: 2 }
}

/** What the number before is of, where that is a unit that is written in several ways. */
function unitAt(tokens: readonly GuardToken[], at: number): string | null {
  const token = tokens[at]
  if (token?.kind === 'unit') return token.text
  return token?.kind === 'word' ? (units.get(token.text) ?? null) : null
}
