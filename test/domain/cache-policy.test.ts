import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asksForOneAnswer, type CacheAsk, decideCaching } from '../../src/domain/cache-policy.ts'

const caching = {
  mode: 'deterministic',
  ttlMs: 60_000,
  isShared: false,
  keepsToolCalls: false,
  priceShare: 0,
  revision: '',
} as const
const ask: CacheAsk = { caching, cacheControl: undefined, field: undefined, isDeterministic: true, isCompared: false }
const decide = (changed: Partial<CacheAsk>) => decideCaching({ ...ask, ...changed })
const lookup = { kind: 'lookup', maxAgeMs: 60_000 }
const bypass = (reason: string, mayStore = false) => ({ kind: 'bypass', reason, mayStore })

test('only what is deterministic is looked up, unless the model says otherwise; an arm is measured by its own answers', () => {
  assert.deepEqual(decide({}), lookup)
  assert.deepEqual(decide({ isDeterministic: false }), bypass('not_deterministic'))
  assert.deepEqual(decide({ isDeterministic: false, caching: { ...caching, mode: 'all' } }), lookup)
  assert.deepEqual(decide({ isCompared: true }), bypass('experiment'))
  assert.deepEqual([{ temperature: 0 }, { seed: 3 }, { temperature: 0.1 }, {}, { seed: null }].map(asksForOneAnswer), [
    true,
    true,
    false,
    false,
    false,
  ])
})

test('a seed by which an engine draws one of its own asks for no certain answer', () => {
  for (const seed of [-1, 4294967295]) {
    assert.equal(asksForOneAnswer({ seed }), false)
    assert.equal(asksForOneAnswer({ seed, temperature: 0 }), true)
  }
  for (const seed of [0, -2, 4294967294]) assert.equal(asksForOneAnswer({ seed, temperature: 1 }), true)
})

test('a request may want less, by header or body, and the stricter word counts', () => {
  const headers: readonly [string, object][] = [
    ['no-store', bypass('no_store')],
    ['No-Cache', bypass('no_cache', true)],
    ['max-age=0', bypass('no_cache', true)],
    ['max-age=30', { kind: 'lookup', maxAgeMs: 30_000 }],
    ['max-age=3000', lookup],
    ['max-age=x, private, only-if-cached', lookup],
    ['max-age=30, no-store', bypass('no_store')],
    ['', lookup],
  ]
  for (const [cacheControl, decision] of headers) assert.deepEqual(decide({ cacheControl }), decision, cacheControl)
  assert.deepEqual(decide({ field: false }), bypass('no_store'))
  assert.deepEqual(decide({ field: true }), lookup)
  assert.deepEqual(decide({ field: { no_store: true } }), bypass('no_store'))
  assert.deepEqual(decide({ field: { no_cache: true } }), bypass('no_cache', true))
  assert.deepEqual(decide({ field: { max_age: 5 }, cacheControl: 'max-age=9' }), { kind: 'lookup', maxAgeMs: 5000 })
  assert.deepEqual(decide({ field: { max_age: null, no_store: false } }), lookup)
})
