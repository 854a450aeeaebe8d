import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GuardedStore } from '../../src/cache/guarded-store.ts'
import type { Found, ResponseStore } from '../../src/domain/response-store.ts'

const found: Found = { entries: [], moment: 'm' }
const belonging = { owner: 'a', model: 'm' }

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
  return { guarded, failures, asked: () => asked, find: () => guarded.find(['k'], belonging) }
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
  assert.equal(await guarded.put([], { ...belonging, moment: 'm', ttlMs: 1 }), false)
  await guarded.remove('k')
  await assert.rejects(async () => guarded.forget({ kind: 'key', key: 'k' }), /away/)
})
