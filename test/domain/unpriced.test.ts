import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Target } from '../../src/domain/catalog.ts'
import { parsePrice } from '../../src/domain/price.ts'
import { listNames, UnpricedModels } from '../../src/domain/unpriced.ts'

const pricesOf = (id: string, days: readonly string[]) => days.map(from => parsePrice(id, { from, input: '0' }))
const target: Target = { backend: 'one', model: 'x', weight: 1, endpoints: new Set() }
const model = (id: string, ...days: readonly string[]) => ({ id, prices: pricesOf(id, days), targets: [target] })
const nowMs = Date.UTC(2026, 5, 1)

test('a model without a price is told once, one of 0 never, one whose day has not come until then', () => {
  const models = [model('none'), model('free', '2026-01-01'), model('later', '2026-06-02')]
  const unpriced = new UnpricedModels()
  assert.deepEqual(unpriced.news(models, nowMs), ['none', 'later'])
  assert.deepEqual(unpriced.news(models, nowMs), [])
  assert.deepEqual(unpriced.news([...models, model('new')], nowMs), ['new'])
  assert.deepEqual(unpriced.news([], nowMs), [])
  assert.deepEqual(unpriced.news(models, nowMs), [])
  assert.deepEqual(new UnpricedModels().news(models, Date.UTC(2026, 5, 2)), ['none'])
})

test('a model is without a price where one of its targets may answer that has none either', () => {
  const priced = (day: string): Target => ({ ...target, prices: pricesOf('x', [day]) })
  const unpriced = (...targets: readonly Target[]) =>
    new UnpricedModels().news([{ ...model('one'), targets }], nowMs).length > 0
  assert.equal(unpriced(priced('2026-01-01'), priced('2026-06-01')), false)
  assert.equal(unpriced(priced('2026-01-01'), target), true)
  assert.equal(unpriced(priced('2026-01-01'), { ...target, weight: 0 }), false)
  assert.equal(unpriced(priced('2026-06-02')), true)
  const later = { ...model('one', '2026-01-01'), targets: [priced('2026-06-02')] }
  assert.deepEqual(new UnpricedModels().news([later], nowMs), [])
})

test('what has been told is forgotten where it is too much', () => {
  const unpriced = new UnpricedModels()
  const many = (from: number) => Array.from({ length: 6000 }, (_, index) => model(`model-${from + index}`))
  assert.equal(unpriced.news(many(0), nowMs).length, 6000)
  assert.equal(unpriced.news(many(6000), nowMs).length, 6000)
  assert.deepEqual(unpriced.news([model('model-6000')], nowMs), [])
  assert.deepEqual(unpriced.news([model('model-0')], nowMs), ['model-0'])
})

test('names are listed up to a number of them', () => {
  const names = Array.from({ length: 22 }, (_, index) => `m${index}`)
  assert.equal(listNames(names.slice(0, 2)), 'm0, m1')
  assert.match(listNames(names.slice(0, 20)), /^m0, .*, m19$/)
  assert.match(listNames(names), /^m0, .*, m19 and 2 more$/)
})
