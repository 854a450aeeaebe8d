/**
 * Reports how often the semantic cache would be right and wrong with an embedding model, at each threshold and by each guard.
 *
 *     npm run eval:semantic-cache                                       the demo model that ships with Weir
 *     npm run eval:semantic-cache -- http://127.0.0.1:8080 my-model     a model of your own, by any OpenAI-compatible server
 *
 * A key for the server is taken from WEIR_EVAL_KEY.
 */
import { writeSync } from 'node:fs'
import { startEngine } from '../../src/embedded/engine-process.ts'
import { type EvaluatedGuard, evaluate, type Figures, makeSet, textsOf } from './evaluation.ts'
import { fetchVectors } from './vectors.ts'

const say = (line: string) => writeSync(1, `${line}\n`)
const quiet = { debug() {}, info() {}, warn() {}, error: (_details: object, message: string) => say(message) }

const [, , givenUrl, givenModel] = process.argv
const engine = givenUrl === undefined ? startEngine({ slots: 1, contextLength: 1024, log: quiet }) : null
const url = givenUrl ?? (await engine?.ready) ?? ''
const model = givenModel ?? engine?.modelName ?? 'default'
try {
  const set = makeSet()
  const texts = textsOf(set)
  const vectors = await fetchVectors(texts, { url, model, key: process.env['WEIR_EVAL_KEY'] })
  const dimensions = vectors.values().next().value?.length ?? 0
  say(
    `${model}, ${dimensions} dimensions: ${set.same.length} paraphrases, ${set.negatives.length} negatives, ${set.others.length} pairs of other questions, ${texts.length} texts`,
  )
  for (const guard of ['words', 'facts', 'none'] satisfies readonly EvaluatedGuard[]) {
    say('')
    say(`guard: ${guard}`)
    say('')
    say('| threshold | hit rate | precision | right | wrong | of which | wrong of other questions |')
    say('| --------- | -------- | --------- | ----- | ----- | -------- | ------------------------ |')
    for (const figures of evaluate(set, vectors, guard)) say(rowOf(figures, set.same.length))
  }
} finally {
  await engine?.stop()
}

function rowOf({ threshold, right, wrong, wrongByKind, wrongOthers }: Figures, paraphrases: number): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  const hits = right + wrong + wrongOthers
  const kinds = Object.entries(wrongByKind)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ')
  const precision = hits === 0 ? '–' : percent(right / hits)
  const cells = [threshold.toFixed(2), percent(right / paraphrases), precision, right, wrong, kinds || '–', wrongOthers]
  return `| ${cells.join(' | ')} |`
}
