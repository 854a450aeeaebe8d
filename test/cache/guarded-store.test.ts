import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GuardedStore } from '../../src/cache/guarded-store.ts'
import type { Found, NewEntry, ResponseStore } from '../../src/domain/response-store.ts'

const found: Found = { entries: [], moment: 'm' }
const belonging = { owner: 'a', model: 'm' }
const kept = { ...belonging, moment: 'm', ttlMs: 1 }

/** A store that answers as it is told, and counts. */
function build(answer: { current: () => Found | Promise<Found> }) {
  let asked = 0
  const failures: boolean[] = []
  const store: ResponseStore = {
    find: () => {
      asked++
      return answer.current()
    },
    put: () => Promise.reject(new Error('away')),
    remove: () => Promise.reject(new Error('away')),
    forget: () => Promise.reject(new Error('away')),
  }
  const guarded = new GuardedStore(store, (_error, begins) => failures.push(begins))
  return { store, guarded, failures, asked: () => asked, find: () => guarded.find(['k'], belonging) }
}

test('after three failures nobody waits for the store, until it has answered one that tries', async () => {
  const answer = { current: (): Found | Promise<Found> => Promise.reject(new Error('away')) }
  const { find, asked, failures } = build(answer)
  for (let n = 0; n < 10; n++) assert.equal(await find(), null)
  assert.equal(asked(), 3)
  assert.deepEqual(failures, [false, false, true])
  answer.current = () => found
  const startedMs = performance.now()
  while ((await find()) === null) await new Promise(resolve => setTimeout(resolve, 5))
  assert.ok(performance.now() - startedMs >= 400)
  assert.equal(asked(), 4)
  assert.equal(await find(), found)
})

test('a store that says nothing is waited for 50 ms; what comes within them, however late it is read, counts', async () => {
  const late = Promise.withResolvers<Found>()
  const { find } = build({ current: () => late.promise })
  const startedMs = performance.now()
  assert.equal(await find(), null)
  assert.ok(performance.now() - startedMs >= 49)
  const heard = find()
  // This process is held up for longer than that, and the answer has come meanwhile.
  setImmediate(() => late.resolve(found))
  while (performance.now() - startedMs < 150);
  assert.equal(await heard, found)
})

test('what cannot be kept is said, and what cannot be forgotten is an error', async () => {
  const { guarded } = build({ current: () => found })
  assert.equal(await guarded.put([{ key: 'k', bytes: Buffer.alloc(1) }], kept), false)
  await guarded.remove('k')
  await assert.rejects(async () => guarded.forget({ kind: 'key', key: 'k' }), /away/)
})

test('what is more than a megabyte is kept in parts, one after the other, each of which has the time of one', async () => {
  const { store } = build({ current: () => found })
  const parts: (readonly NewEntry[])[] = []
  const failures: unknown[] = []
  const slow: ResponseStore = {
    ...store,
    put: async entries => {
      parts.push(entries)
      await new Promise(resolve => setTimeout(resolve, 20))
    },
  }
  const guarded = new GuardedStore(slow, error => failures.push(error))
  const entries = [...Array<number>(2048).fill(2048), 3 * 2 ** 20, 1].map((size, n) => ({
    key: String(n),
    bytes: Buffer.alloc(size),
  }))
  assert.equal(await guarded.put(entries, kept), true)
  assert.deepEqual(failures, [])
  assert.deepEqual(parts.flat(), entries)
  assert.deepEqual(
    parts.map(part => part.length),
    [512, 512, 512, 512, 1, 1],
  )
  const away = build({ current: () => found })
  assert.equal(await away.guarded.put(entries, kept), false)
  assert.equal(away.failures.length, 1, 'the rest is not tried')
})
