import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ApiKeyIdentity } from '../../src/domain/api-key.ts'
import type { Principal } from '../../src/domain/principal.ts'
import { KeyCache, type KeyVerdict } from '../../src/store/key-cache.ts'

const ttlMs = 30_000
const identity: ApiKeyIdentity = { publicId: 'the-id', pepperVersion: 1, digest: Buffer.alloc(32) }
const principal: Principal = {
  accountId: 'a',
  accountName: 'acme',
  credential: 'key',
  keyId: 'the-id',
  identity: null,
  tier: 'free',
  scopes: new Set(['chat']),
  models: ['*'],
}
const letIn: KeyVerdict = { principal, expiresAtMs: Number.POSITIVE_INFINITY }
const refused: KeyVerdict = { principal: null, expiresAtMs: Number.POSITIVE_INFINITY }

/** A cache over answers given one by one; an Error is a database that cannot say. */
function build(t: TestContext) {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
  const answers: (KeyVerdict | Error | Promise<KeyVerdict>)[] = []
  let asked = 0
  const cache = new KeyCache({
    ttlMs,
    load: async () => {
      asked += 1
      const answer = answers.shift()
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error('asked too often')
      return await answer
    },
  })
  const pass = (ms: number) => t.mock.timers.tick(ms)
  const peek = () => cache.peek('digest', Date.now())
  return { cache, answers, pass, peek, resolve: () => cache.resolve('digest', identity), asked: () => asked }
}

test('a key is asked for once per TTL', async t => {
  const { answers, pass, peek, resolve, asked } = build(t)
  answers.push(letIn, letIn)
  assert.equal(peek(), undefined)
  assert.equal(await resolve(), principal)
  pass(ttlMs - 1)
  assert.equal(peek(), principal)
  pass(1)
  assert.equal(peek(), undefined)
  assert.equal(await resolve(), principal)
  assert.equal(asked(), 2)
})

test('who asks at the same time waits for the same answer', async t => {
  const { answers, resolve, asked } = build(t)
  const { promise, resolve: answer } = Promise.withResolvers<KeyVerdict>()
  answers.push(promise)
  const waiting = Promise.all(Array.from({ length: 1000 }, resolve))
  answer(letIn)
  assert.deepEqual(new Set(await waiting), new Set([principal]))
  assert.equal(asked(), 1)
})

test('a refusal is remembered for a short time', async t => {
  const { answers, pass, peek, resolve } = build(t)
  answers.push(refused)
  assert.equal(await resolve(), null)
  assert.equal(peek(), null)
  pass(5000)
  assert.equal(peek(), undefined)
})

test('a key ends at its own time, whatever the TTL says', async t => {
  const { answers, pass, peek, resolve } = build(t)
  answers.push({ principal, expiresAtMs: Date.now() + 1000 })
  assert.equal(await resolve(), principal)
  pass(999)
  assert.equal(peek(), principal)
  pass(1)
  assert.equal(peek(), null)
})

test('a key that has ended already is not let in on the way', async t => {
  const { answers, resolve } = build(t)
  answers.push({ principal, expiresAtMs: Date.now() })
  assert.equal(await resolve(), null)
})

test('while the database cannot say, what it said last counts for an hour and is asked again once per TTL', async t => {
  const { answers, pass, peek, resolve, asked } = build(t)
  const down = new Error('down')
  answers.push(letIn)
  await resolve()
  let questions = 1
  for (let minutes = 0; minutes < 59; minutes += 1) {
    pass(60_000)
    assert.equal(peek(), undefined)
    answers.push(down)
    assert.equal(await resolve(), principal)
    assert.equal(peek(), principal)
    questions += 1
  }
  assert.equal(asked(), questions)
  pass(60_000)
  answers.push(down)
  await assert.rejects(resolve(), down)
})

test('an unknown key cannot be judged while the database cannot say, and is asked for again at once', async t => {
  const { answers, peek, resolve } = build(t)
  answers.push(new Error('down'), letIn)
  await assert.rejects(resolve(), /down/)
  assert.equal(peek(), undefined)
  assert.equal(await resolve(), principal)
})

test('a revoked key is refused as soon as the database says so, also where it was let in before', async t => {
  const { answers, pass, peek, resolve } = build(t)
  answers.push(letIn, refused, new Error('down'))
  await resolve()
  pass(ttlMs)
  assert.equal(await resolve(), null)
  pass(5000)
  assert.equal(peek(), undefined)
  // The outage does not bring it back.
  await assert.rejects(resolve(), /down/)
})

test('a key that is to be forgotten is, also when its answer was on the way', async t => {
  const { cache, answers, peek, resolve } = build(t)
  answers.push(letIn)
  await resolve()
  cache.forget('another-id')
  assert.equal(peek(), principal)
  cache.forget('the-id')
  assert.equal(peek(), undefined)

  const { promise, resolve: answer } = Promise.withResolvers<KeyVerdict>()
  answers.push(promise)
  const waiting = resolve()
  cache.forget('the-id')
  answer(letIn)
  await waiting
  assert.equal(peek(), undefined)
})

test('what it holds is bounded', async () => {
  let verdict: KeyVerdict = refused
  const cache = new KeyCache({ ttlMs, load: async () => verdict })
  for (let index = 0; index < 12_000; index += 1) await cache.resolve(`refused ${index}`, identity)
  assert.equal(cache.size, 10_000)
  verdict = letIn
  for (let index = 0; index < 52_000; index += 1) await cache.resolve(`known ${index}`, identity)
  assert.equal(cache.size, 60_000)
})
