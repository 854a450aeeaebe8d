/** How often a semantic cache would be right and wrong, by an embedding model, a guard and a threshold. */
import { readFileSync } from 'node:fs'
import { marksOf } from '../../src/domain/semantic-guard.ts'
import type { GuardLevel } from '../../src/schemas/guard-level.ts'
import { makeNegatives } from './negatives.ts'
import type { Vectors } from './vectors.ts'

export interface Pair {
  /** Of paraphrase, negative or neither. */
  readonly kind: string
  readonly one: string
  readonly other: string
}

/** Of different questions, each with its paraphrases. */
export function readBlocks(): readonly (readonly string[])[] {
  const text = readFileSync(new URL('./paraphrases.txt', import.meta.url), 'utf8').replaceAll('\r\n', '\n')
  return text
    .trim()
    .split('\n\n')
    .map(block => block.split('\n'))
}

export interface EvaluationSet {
  /** Want the same answer. */
  readonly same: readonly Pair[]
  /** Want another one: by templates. */
  readonly negatives: readonly Pair[]
  /** Want another one: each two of the questions of which there are paraphrases, in all their forms. */
  readonly others: readonly Pair[]
}

export function makeSet(): EvaluationSet {
  const blocks = readBlocks()
  const same = blocks.flatMap(([one = '', ...rest]) => rest.map(other => ({ kind: 'paraphrases', one, other })))
  const others = blocks.flatMap((block, index) =>
    blocks
      .slice(index + 1)
      .flatMap(next => block.flatMap(one => next.map(other => ({ kind: 'other questions', one, other })))),
  )
  return { same, negatives: makeNegatives(), others }
}

/** What the evaluation is made with: no guard at all is there to show what the guards are worth. */
export type EvaluatedGuard = GuardLevel | 'none'

export const thresholds = [0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99] as const

export function makeJudge(vectors: Vectors, guard: EvaluatedGuard): (pair: Pair) => number {
  const marks = new Map<string, string>()
  const guardOf = (text: string): string => {
    if (guard === 'none') return ''
    const known = marks.get(text) ?? JSON.stringify(marksOf(text, guard))
    marks.set(text, known)
    return known
  }
  return ({ one, other }) => (guardOf(one) === guardOf(other) ? similarity(vectors, one, other) : -1)
}

export interface Figures {
  readonly threshold: number
  /** Of the paraphrases, how many were found. */
  readonly right: number
  /** Of the negatives, how many were taken for the same. */
  readonly wrong: number
  readonly wrongByKind: Readonly<Record<string, number>>
  /** Of the other questions. */
  readonly wrongOthers: number
}

export function evaluate(set: EvaluationSet, vectors: Vectors, guard: EvaluatedGuard): readonly Figures[] {
  const judge = makeJudge(vectors, guard)
  const judged = (pairs: readonly Pair[]) => pairs.map(pair => ({ kind: pair.kind, score: judge(pair) }))
  const same = judged(set.same)
  const negatives = judged(set.negatives)
  const others = judged(set.others)
  return thresholds.map(threshold => {
    const isHit = ({ score }: { readonly score: number }) => score >= threshold
    const wrong = negatives.filter(isHit)
    const wrongByKind: Record<string, number> = {}
    for (const { kind } of wrong) wrongByKind[kind] = (wrongByKind[kind] ?? 0) + 1
    return {
      threshold,
      right: same.filter(isHit).length,
      wrong: wrong.length,
      wrongByKind,
      wrongOthers: others.filter(isHit).length,
    }
  })
}

export const textsOf = ({ same, negatives, others }: EvaluationSet): readonly string[] => [
  ...new Set([...same, ...negatives, ...others].flatMap(({ one, other }) => [one, other])),
]

function similarity(vectors: Vectors, one: string, other: string): number {
  const [a, b] = [vectors.get(one), vectors.get(other)]
  if (a === undefined || b === undefined) throw new Error(`there is no vector for: ${one} | ${other}`)
  let sum = 0
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0)
  return sum
}
