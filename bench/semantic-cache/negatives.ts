/** Pairs of questions that look alike and want other answers: what a semantic cache must never take for one. */
import { names, numbers, quotations } from './fact-negatives.ts'
import { nearTopics } from './near-negatives.ts'
import { negations, order } from './negation-negatives.ts'
import type { Negative } from './templates.ts'

/** All of them, each once; always the same. */
export function makeNegatives(): readonly Negative[] {
  const all = [numbers(), negations(), names(), nearTopics(), order(), quotations()].flat()
  const byTexts = new Map(all.map(each => [`${each.one}\n${each.other}`, each]))
  return [...byTexts.values()].filter(({ one, other }) => one !== other)
}
