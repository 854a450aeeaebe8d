import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate, makeSet, textsOf } from '../../bench/semantic-cache/evaluation.ts'

test('C05 whatever an embedding thinks of them, no negative of the evaluation set passes the guard', () => {
  const set = makeSet()
  assert.ok(set.same.length >= 300, `${set.same.length} paraphrases`)
  assert.ok(set.negatives.length >= 3000, `${set.negatives.length} negatives`)
  // An embedding for which all texts are the same: what is left is the guard.
  const vectors = new Map(textsOf(set).map(text => [text, Float32Array.of(1)]))
  const [words] = evaluate(set, vectors, 'words')
  assert.deepEqual(words?.wrongByKind, {})
  assert.equal(words?.wrongOthers, 0)
  assert.ok(words.right >= 100, `${words.right} paraphrases pass`)
  // Numbers, negations and quotations are told apart by their facts alone; the rest is the embedding's, as are small names.
  const facts = evaluate(set, vectors, 'facts')[0] ?? assert.fail('there is no threshold')
  for (const kind of ['numbers', 'negations', 'quotations']) assert.equal(facts.wrongByKind[kind], undefined, kind)
  assert.ok(facts.right > words.right, `${facts.right} paraphrases pass`)
})
