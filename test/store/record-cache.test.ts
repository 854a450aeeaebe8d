import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { RecordCache } from '../../src/store/record-cache.ts'

const ttlMs = 30_000
const record = { id: 'the-id' }

type Answer = typeof record | null | Error | Promise<typeof record>

/** A cache over answers given one by one; an Error is a database that cannot say. */
function build(t: TestContext) {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
  const answers: Answer[] = []
  let asked = 0
  const cache = new RecordCache({
    ttlMs,
    load: async () => {
      asked += 1
      const answer = answers.shift()
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error('asked too often')
      return await answer
    },
  })
  const pass = (ms: number) => t.mock.timers.tick(ms)
  const peek = () => cache.peek('the-id', Date.now())
  return { cache, answers, pass, peek, resolve: () => cache.resolve('the-id'), asked: () => asked }
}

test('an id is asked for once per TTL', async t => {
  const { answers, pass, peek, resolve, asked } = build(t)
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

test('who asks at the same time waits for the same answer', async t => {
  const { answers, resolve, asked } = build(t)
  const { promise, resolve: answer } = Promise.withResolvers<typeof record>()
  answers.push(promise)
  const waiting = Promise.all(Array.from({ length: 1000 }, resolve))
  answer(record)
  assert.deepEqual(new Set(await waiting), new Set([record]))
  assert.equal(asked(), 1)
})

test('that there is nothing is remembered for a short time', async t => {
  const { answers, pass, peek, resolve } = build(t)
  answers.push(null)
  assert.equal(await resolve(), null)
  assert.equal(peek(), null)
  pass(5000)
  assert.equal(peek(), undefined)
})

test('while the database cannot say, what it said last counts for an hour and is asked again once per TTL', async t => {
  const { answers, pass, peek, resolve, asked } = build(t)
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

test('an unknown id cannot be judged while the database cannot say, and is asked for again at once', async t => {
  const { answers, peek, resolve } = build(t)
  answers.push(new Error('down'), record)
  await assert.rejects(resolve(), /down/)
  assert.equal(peek(), undefined)
  assert.equal(await resolve(), record)
})

test('what has gone is not brought back by an outage', async t => {
  const { answers, pass, peek, resolve } = build(t)
  answers.push(record, null, new Error('down'))
  await resolve()
  pass(ttlMs)
  assert.equal(await resolve(), null)
  pass(5000)
  assert.equal(peek(), undefined)
  await assert.rejects(resolve(), /down/)
})

test('what is to be forgotten is, also when its answer was on the way, and an outage does not bring it back', async t => {
  const { cache, answers, peek, resolve } = build(t)
  answers.push(record)
  await resolve()
  cache.forget(({ id }) => id === 'another-id')
  assert.equal(peek(), record)
  cache.forget(({ id }) => id === 'the-id')
  assert.equal(peek(), undefined)
  answers.push(new Error('down'))
  await assert.rejects(resolve(), /down/)

  const { promise, resolve: answer } = Promise.withResolvers<typeof record>()
  const changed = { id: 'the-id' }
  answers.push(promise, changed)
  const before = resolve()
  cache.forget(() => true)
  // Asked after the change: not what was read before it.
  const after = resolve()
  answer(record)
  assert.equal(await before, record)
  assert.equal(await after, changed)
  assert.equal(peek(), changed)
})

test('that there is nothing is forgotten with any change: it may be there now', async t => {
  const { cache, answers, peek, resolve } = build(t)
  answers.push(null)
  await resolve()
  cache.forget(() => false)
  assert.equal(peek(), undefined)
})

test('where changes may have been missed all is asked again, and counts only while the database cannot say', async t => {
  const { cache, answers, peek, resolve } = build(t)
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

test('what it holds is bounded', async () => {
  let answer: object | null = null
  const cache = new RecordCache({ ttlMs, load: async () => answer })
  for (let index = 0; index < 12_000; index += 1) await cache.resolve(`nothing ${index}`)
  assert.equal(cache.size, 10_000)
  answer = record
  await cache.resolve('something')
  for (let index = 0; index < 12_000; index += 1) cache.peek(`nothing ${index}`, Date.now())
  assert.equal(cache.peek('something', Date.now()), record)
})
