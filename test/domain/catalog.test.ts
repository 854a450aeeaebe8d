import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildCatalog, type Model } from '../../src/domain/catalog.ts'

const model = (id: string, aliases: string[] = []): Model => ({
  id,
  aliases,
  created: 1,
  ownedBy: 'weir',
  contextLength: null,
  maxOutputTokens: 100,
  promptCache: 'shared',
  imageTokens: 7,
  prices: [],
  targets: [{ backend: 'a', model: id, weight: 1, endpoints: new Set(['chat']) }],
  fallback: null,
})
const offers = (backend: string, ...ids: string[]) => ({
  backend,
  models: ids.map(id => ({ id, contextLength: null })),
})

test('models are found by name and alias; a name beats an alias', () => {
  const catalog = buildCatalog([model('one', ['two', 'uno']), model('two')], [], 1)
  assert.equal(catalog.find('uno')?.id, 'one')
  assert.equal(catalog.find('two')?.id, 'two')
  assert.equal(catalog.find('three'), undefined)
})

test('a model that several backends offer has a target on each', () => {
  const catalog = buildCatalog([], [offers('a', 'm'), offers('b', 'm', 'n')], 1)
  assert.deepEqual(
    catalog.find('m')?.targets.map(target => target.backend),
    ['a', 'b'],
  )
  assert.deepEqual(
    catalog.models.map(({ id }) => id),
    ['m', 'n'],
  )
})

test('a configured model, by name or alias, is not touched by discovery', () => {
  const catalog = buildCatalog([model('m', ['n'])], [offers('b', 'm', 'n')], 1)
  assert.deepEqual(
    catalog.models.map(({ id }) => id),
    ['m'],
  )
  assert.deepEqual(
    catalog.find('n')?.targets.map(target => target.backend),
    ['a'],
  )
})
