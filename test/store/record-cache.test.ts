import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecordCache } from '../../src/store/record-cache.ts'

const ttlMs = 30_000
const record = { id: 'the-id', group: 'the-group' }
type Entry = typeof record

/** A cache over answers given one by one; an Error is a database that cannot say. */
function build() {
  let nowMs = 1_000_000
  const answers: (Entry | null | Error | Promise<Entry>)[] = []
  let asked = 0
  const cache = new RecordCache({
    ttlMs,
    clock: () => nowMs,
    groupOf: ({ group }: Entry) => group,
    load: async () => {
      asked += 1
      const answer = answers.shift()
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error('asked too often')
      return await answer
    },
  })
  const pass = (ms: number) => {
    nowMs += ms
  }
  return {
    cache,
    answers,
    pass,
    peek: () => cache.peek('the-id'),
    resolve: () => cache.resolve('the-id', 'req_1'),
    asked: () => asked,
  }
}

/** A cache that knows these records. */
async function buildKnowing(records: readonly Entry[]) {
  const known = new Map(records.map(entry => [entry.id, entry]))
  const cache = new RecordCache({
    ttlMs,
    groupOf: ({ group }: Entry) => group,
    load: async id => known.get(id) ?? null,
  })
  for (const id of known.keys()) await cache.resolve(id, 'req_1')
  return cache
}

test('an id is asked for once per TTL', async () => {
  const { answers, pass, peek, resolve, asked } = build()
  answers.push(record, record)
  assert.equal(peek(), undefined)
  assert.equal(await resolve(), record)
  pass(ttlMs - 1)
  assert.equal(peek(), record)
  pass(1)
  assert.equal(peek(), undefined)
  assert.equal(await resolve(), record)
  assert.equal(asked(), 2)
})

test('who asks at the same time waits for the same answer', async () => {
  const { answers, resolve, asked } = build()
  const { promise, resolve: answer } = Promise.withResolvers<typeof record>()
  answers.push(promise)
  const waiting = Promise.all(Array.from({ length: 1000 }, resolve))
  answer(record)
  assert.deepEqual(new Set(await waiting), new Set([record]))
  assert.equal(asked(), 1)
})

test('that there is nothing is remembered for a short time', async () => {
  const { answers, pass, peek, resolve } = build()
  answers.push(null)
  assert.equal(await resolve(), null)
  assert.equal(peek(), null)
  pass(5000)
  assert.equal(peek(), undefined)
})

test('while the database cannot say, what it said last counts for an hour and is asked again once per TTL', async () => {
  const { answers, pass, peek, resolve, asked } = build()
  const down = new Error('down')
  answers.push(record)
  await resolve()
  let questions = 1
  for (let minutes = 0; minutes < 59; minutes += 1) {
    pass(60_000)
    assert.equal(peek(), undefined)
    answers.push(down)
    assert.equal(await resolve(), record)
    assert.equal(peek(), record)
    questions += 1
  }
  assert.equal(asked(), questions)
  pass(60_000)
  answers.push(down)
  await assert.rejects(resolve(), down)
})

test('an unknown id cannot be judged while the database cannot say, and is asked for again at once', async () => {
  const { answers, peek, resolve } = build()
  answers.push(new Error('down'), record)
  await assert.rejects(resolve(), /down/)
  assert.equal(peek(), undefined)
  assert.equal(await resolve(), record)
})

test('what has gone is not brought back by an outage', async () => {
  const { answers, pass, peek, resolve } = build()
  answers.push(record, null, new Error('down'))
  await resolve()
  pass(ttlMs)
  assert.equal(await resolve(), null)
  pass(5000)
  assert.equal(peek(), undefined)
  await assert.rejects(resolve(), /down/)
})

test('what is to be forgotten is, also when its answer was on the way, and an outage does not bring it back', async () => {
  const { cache, answers, peek, resolve } = build()
  for (const forget of [() => cache.forget('the-id'), () => cache.forgetGroup('the-group')]) {
    answers.push(record)
    await resolve()
    cache.forget('another-id')
    cache.forgetGroup('another-group')
    assert.equal(peek(), record)
    forget()
    assert.equal(peek(), undefined)
    answers.push(new Error('down'))
    await assert.rejects(resolve(), /down/)

    const { promise, resolve: answer } = Promise.withResolvers<Entry>()
    const changed = { ...record }
    answers.push(promise, changed)
    const before = resolve()
    forget()
    // Asked after the change: not what was read before it.
    const after = resolve()
    answer(record)
    assert.equal(await before, record)
    assert.equal(await after, changed)
    assert.equal(peek(), changed)
    forget()
  }
})

test('that there is nothing is forgotten with any change of a group: it may be there now', async () => {
  const { cache, answers, peek, resolve } = build()
  answers.push(null)
  await resolve()
  cache.forgetGroup('another-group')
  assert.equal(peek(), undefined)
})

test('where changes may have been missed all is asked again, and counts only while the database cannot say', async () => {
  const { cache, answers, peek, resolve } = build()
  answers.push(record)
  await resolve()
  cache.doubtAll()
  assert.equal(peek(), undefined)
  answers.push(new Error('down'))
  assert.equal(await resolve(), record)
  cache.doubtAll()
  answers.push(null)
  assert.equal(await resolve(), null)
})

test('what was asked before a doubt and fails after it makes nothing fresh', async () => {
  const { cache, answers, peek, resolve, pass } = build()
  answers.push(record)
  await resolve()
  pass(ttlMs)
  const { promise, reject } = Promise.withResolvers<Entry>()
  answers.push(promise)
  const asking = resolve()
  cache.doubtAll()
  reject(new Error('down'))
  assert.equal(await asking, record)
  assert.equal(peek(), undefined)
})

test('an answer is as old as its question, and nothing is believed for longer than an hour', async () => {
  const { answers, peek, resolve, pass } = build()
  const { promise, resolve: answer } = Promise.withResolvers<Entry>()
  answers.push(promise)
  const asking = resolve()
  pass(1000)
  answer(record)
  await asking
  pass(ttlMs - 1001)
  assert.equal(peek(), record)
  pass(1)
  assert.equal(peek(), undefined)
  // Ten seconds before the hour is over there is no new TTL.
  pass(3_600_000 - ttlMs - 10_000)
  answers.push(new Error('down'))
  assert.equal(await resolve(), record)
  pass(9999)
  assert.equal(peek(), record)
  pass(1)
  assert.equal(peek(), undefined)
})

test('many are doubted and forgotten by group without a walk over all of them', async () => {
  const cache = await buildKnowing(
    Array.from({ length: 1000 }, (_, index) => ({ id: `id ${index}`, group: `group ${index % 10}` })),
  )
  cache.forgetGroup('group 3')
  const left = Array.from({ length: 1000 }, (_, index) => cache.peek(`id ${index}`)).filter(found => found)
  assert.deepEqual([left.length, left.some(found => found?.group === 'group 3')], [900, false])
  cache.doubtAll()
  assert.equal(cache.peek('id 0'), undefined)
  assert.equal(cache.size, 900)
})

test('what it holds is bounded', async () => {
  const absent = await buildKnowing([])
  for (let index = 0; index < 12_000; index += 1) await absent.resolve(`nothing ${index}`, 'req_1')
  assert.equal(absent.size, 10_000)
  const records = Array.from({ length: 50_100 }, (_, index) => ({ id: `id ${index}`, group: `group ${index % 10}` }))
  const cache = await buildKnowing(records)
  assert.equal(cache.size, 50_000)
  // Strangers push out nobody, and who was pushed out is in no group any more.
  for (let index = 0; index < 12_000; index += 1) await cache.resolve(`nothing ${index}`, 'req_1')
  assert.equal(cache.size, 60_000)
  cache.forgetGroup('group 1')
  assert.equal(cache.size, 55_000)
})
