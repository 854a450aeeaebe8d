/** The same question is asked in many ways that say nothing: what is left when they are taken off. */
import { articles, politeWords } from './guard-words.ts'

/** The one way of asking how something is done. */
const howTo = ['how', 'to']

/** What begins a request and says nothing of what is asked; each holds only before what it says. */
const requests: readonly { readonly frame: RegExp; readonly as: readonly string[] }[] = [
  {
    frame:
      /^(?:can|could|would|will) you (?=(?:tell|explain|show|give|describe|list|write|summarize|summarise|translate|help|name|define|compare|suggest|recommend) )/,
    as: [],
  },
  {
    frame:
      /^(?:tell me|show me|explain to me|do you know|i am wondering|i was wondering|i wonder|can i ask|may i ask|(?:i|we) (?:want|need|wish) to know|(?:i|we) would like to know)(?: about)? (?=(?:how|what|which|who|whom|whose|when|where|why|if|whether) )/,
    as: [],
  },
  { frame: /^how (?:do|can|could|would|does|is) (?:i|we|one) (?!feel |look |know )/, as: howTo },
  { frame: /^how to /, as: howTo },
  { frame: /^what (?:is|are) (?:way|steps) to /, as: howTo },
  { frame: /^what (?:do|should) i (?:do|need to do) to /, as: howTo },
]

/**
 * The words without articles, words of politeness and the ways of asking that English has for the same question.
 * `text` of a token is its word; tokens that are none stay where they are.
 */
export function unframe<Token extends { readonly kind: string; readonly text: string }>(
  tokens: readonly Token[],
  makeWord: (text: string) => Token,
): readonly Token[] {
  let left: readonly Token[] = dropNeutral(tokens)
  for (let rounds = 0; rounds < 4; rounds += 1) {
    const next = takeOff(left, makeWord)
    if (next === null) break
    left = next
  }
  return left
}

function dropNeutral<Token extends { readonly kind: string; readonly text: string }>(
  tokens: readonly Token[],
): Token[] {
  return tokens.filter(({ kind, text }, index) => {
    if (kind !== 'word') return true
    if (articles.has(text)) return /^(?:few|little|lot|bit)$/.test(tokens[index + 1]?.text ?? '')
    if (text === 'you' && /^thank$/.test(tokens[index - 1]?.text ?? '')) return false
    return !politeWords.has(text)
  })
}

function takeOff<Token extends { readonly kind: string; readonly text: string }>(
  tokens: readonly Token[],
  makeWord: (text: string) => Token,
): readonly Token[] | null {
  const end = tokens.findIndex(({ kind }) => kind !== 'word')
  const words = tokens.slice(0, end === -1 ? tokens.length : end).slice(0, 12)
  const line = `${words.map(({ text }) => text).join(' ')} ${end === -1 || end > 12 ? '' : '… '}`
  for (const { frame, as } of requests) {
    const match = frame.exec(line)?.[0]
    if (match === undefined) continue
    const count = match.trim().split(' ').length
    const begins = words.slice(0, count).map(({ text }) => text)
    if (begins.join(' ') === as.join(' ')) continue
    return [...as.map(makeWord), ...tokens.slice(count)]
  }
  return null
}
