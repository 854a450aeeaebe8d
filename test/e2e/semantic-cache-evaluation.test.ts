import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate, makeSet, textsOf } from '../../bench/semantic-cache/evaluation.ts'
import { fetchVectors } from '../../bench/semantic-cache/vectors.ts'
import { startEngineServer } from '../support/engine-server.ts'

test('C05 with the model that Weir ships nothing of the evaluation set is wrong at the default threshold', async t => {
  const { url } = await startEngineServer(t, 1)
  const set = makeSet()
  const vectors = await fetchVectors(textsOf(set), { url, model: 'weir-demo' })
  const figures = evaluate(set, vectors, 'words')
  for (const { threshold, wrong, wrongOthers } of figures) {
    assert.deepEqual({ threshold, wrong, wrongOthers }, { threshold, wrong: 0, wrongOthers: 0 })
  }
  const [lowest] = figures
  assert.ok((lowest?.right ?? 0) > 0, 'something is found at all')
  // It is the guard that does it: without one this model takes a third of them for the same.
  const unguarded = evaluate(set, vectors, 'none').find(({ threshold }) => threshold === 0.97)
  assert.ok((unguarded?.wrong ?? 0) > 500, `${unguarded?.wrong} wrong without a guard`)
})
