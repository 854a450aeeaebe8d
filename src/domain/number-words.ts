/** English numbers in words, so that twenty-one and 21 are the same. */

const small =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'
const decades = 'twenty thirty forty fifty sixty seventy eighty ninety'

const ones: ReadonlyMap<string, number> = new Map(small.split(' ').map((word, index) => [word, index]))
const tens: ReadonlyMap<string, number> = new Map(decades.split(' ').map((word, index) => [word, 20 + 10 * index]))
const scales: ReadonlyMap<string, bigint> = new Map([
  ['thousand', 1000n],
  ['million', 1_000_000n],
  ['billion', 1_000_000_000n],
  ['trillion', 1_000_000_000_000n],
])

/** What a word that comes after a number in digits multiplies it by; undefined where it does nothing of the kind. */
export function scaleOf(word: string): bigint | undefined {
  return word === 'hundred' ? 100n : word === 'dozen' ? 12n : scales.get(word)
}

export interface ReadNumber {
  readonly value: bigint
  /** How many words it takes. */
  readonly words: number
}

/**
 * The number that the words from `at` on say, as long as English would have it: twenty one, two hundred and five, three
 * thousand. What does not go on as one number is the next one. Null where there is none; a hundred alone is 100.
 */
export function readNumberWords(words: readonly string[], at: number): ReadNumber | null {
  let total = 0n
  let next = at
  let limit: bigint | null = null
  for (;;) {
    const group = readBelowThousand(words, next)
    const bare = group === null && next === at ? scales.get(words[at] ?? '') : undefined
    if (bare !== undefined) return { value: bare, words: 1 }
    if (group === null) break
    const scale = scales.get(words[next + group.words] ?? '') ?? 1n
    if (limit !== null && scale >= limit) break
    total += group.value * scale
    next += group.words + (scale > 1n ? 1 : 0)
    limit = scale
    if (scale === 1n) break
    if (words[next] === 'and' && readBelowThousand(words, next + 1) !== null) next += 1
  }
  return next === at ? null : { value: total, words: next - at }
}

function readBelowThousand(words: readonly string[], at: number): ReadNumber | null {
  const first = words[at] ?? ''
  if (first === 'dozen') return { value: 12n, words: 1 }
  const head = first === 'hundred' ? { value: 1n, words: 0 } : readBelowHundred(words, at)
  if (head === null || words[at + head.words] !== 'hundred') return head
  const value = head.value * 100n
  let next = at + head.words + 1
  const hasAnd = words[next] === 'and'
  const rest = readBelowHundred(words, next + (hasAnd ? 1 : 0))
  if (rest === null || rest.value === 0n) return { value, words: next - at }
  next += rest.words + (hasAnd ? 1 : 0)
  return { value: value + rest.value, words: next - at }
}

function readBelowHundred(words: readonly string[], at: number): ReadNumber | null {
  const one = ones.get(words[at] ?? '')
  if (one !== undefined) return { value: BigInt(one), words: 1 }
  const ten = tens.get(words[at] ?? '')
  if (ten === undefined) return null
  const unit = ones.get(words[at + 1] ?? '') ?? 0
  return unit > 0 && unit < 10 ? { value: BigInt(ten + unit), words: 2 } : { value: BigInt(ten), words: 1 }
}

/** Whether the word is one that numbers are made of; for hyphenated ones, each part. */
export const isNumberWord = (word: string): boolean =>
  ones.has(word) || tens.has(word) || scales.has(word) || word === 'hundred' || word === 'dozen'
