import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProcessResponses } from '../../src/embedded/responses.ts'
import { keep, newKey, type StoreBounds, testResponses, textsOf } from '../support/response-conformance.ts'

function build({ maxBytes = 1_000_000, maxEntryBytes = 10_000 }: StoreBounds = {}) {
  const seen = { bytes: 0, evicted: 0 }
  const store = new ProcessResponses({
    maxBytes,
    maxEntryBytes,
    onBytes: bytes => {
      seen.bytes = bytes
    },
    onEvicted: entries => {
      seen.evicted += entries
    },
  })
  return { store, seen }
}

testResponses('in the process', async (_t, bounds) => build(bounds))

test('what was used last stays longest', async () => {
  const { store } = build({ maxBytes: 5 * 1600 })
  const keys = Array.from({ length: 5 }, newKey)
  for (const key of keys) await keep(store, { [key]: 'x'.repeat(1000) })
  await textsOf(store, [keys[0] ?? ''])
  await keep(store, { [newKey()]: 'x'.repeat(1000) })
  assert.deepEqual(
    (await textsOf(store, keys)).map(text => text !== null),
    [true, false, true, true, true],
  )
})

test('what is kept holds no memory beside its own bytes', async () => {
  const { store } = build()
  const key = newKey()
  // Cut out of Node's pool, as all small buffers are.
  await keep(store, { [key]: 'x' })
  const [bytes] = store.find([key], { owner: 'a', model: 'm' }).entries
  assert.equal(bytes?.buffer.byteLength, 1)
})

test('however many are forgotten, the memory of it is bounded, and nothing forgotten comes back', async () => {
  const { store } = build()
  const key = newKey()
  await keep(store, { [key]: 'x' })
  store.forget({ kind: 'account', accountId: 'a' })
  const { moment } = store.find([], { owner: 'b', model: 'm' })
  for (let index = 0; index < 20_001; index++) store.forget({ kind: 'account', accountId: `other ${index}` })
  assert.deepEqual(await textsOf(store, [key]), [null])
  store.put([{ key, bytes: Buffer.from('late') }], { owner: 'b', model: 'm', moment, ttlMs: 1000 })
  assert.deepEqual(await textsOf(store, [key], { owner: 'b', model: 'm' }), [null])
})
