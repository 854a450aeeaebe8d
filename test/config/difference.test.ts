import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changedKeys } from '../../src/config/difference.ts'
import { load } from './load.ts'

const base = `
backends: { a: { url: "http://a", apiKey: { env: KEY } } }
models: { "qwen2.5": { targets: [{ backend: a }] }, other: { targets: [{ backend: a }] } }
`

test('each key that differs is named as weir.yaml writes it, without a value', t => {
  const env = { WEIR_DATA_DIR: '/data', KEY: 'the-secret-of-a', KEY2: 'another-secret-of-a' }
  const before = load(t, { yaml: base, env }).config
  const keysFor = (yaml: string) => changedKeys(before, load(t, { yaml, env }).config)
  assert.deepEqual(keysFor(base), [])
  assert.deepEqual(keysFor(base.replace('KEY', 'KEY2')), ['backends.a.apiKey'])
  assert.deepEqual(keysFor(base.replace('{ url: "http://a", apiKey: { env: KEY } }', '{ url: "http://a" }')), [
    'backends.a.apiKey',
  ])
  assert.deepEqual(keysFor(base.replace('targets: [{ backend: a }]', 'targets: [{ backend: a, weight: 2 }]')), [
    'models."qwen2.5".targets',
  ])
  assert.deepEqual(keysFor(base.replace('other', 'another')), ['models.other', 'models.another'])
  assert.deepEqual(keysFor(`${base}tiers: { free: { priority: 3 }, mine: {} }\n`), [
    'tiers.free.priority',
    'tiers.mine',
  ])
  assert.deepEqual(keysFor(`${base}server: { maxBody: 1MiB, grace: 1s, trustedProxies: [10.0.0.0/8] }\n`), [
    'server.trustedProxies',
    'server.maxBody',
    'server.grace',
  ])
})
