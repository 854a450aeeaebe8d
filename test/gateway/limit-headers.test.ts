import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Caller, type Limited, startLimited, storeKinds } from '../support/limited.ts'

const chat = { model: 'tinychat', messages: [{ role: 'user', content: 'hi' }] }
const json = { 'content-type': 'application/json' }
/** More than a server takes unless it is told otherwise. */
const tooMuch = 'x'.repeat(9 * 1024 * 1024)

/** What is refused before it is counted, by status; each with the path it is sent to. */
const refusals = [
  { status: 400, path: 'chat/completions', headers: json, body: '{"model":' },
  { status: 400, path: 'embeddings', headers: json, body: JSON.stringify({ model: 'tinychat' }) },
  { status: 400, path: 'completions', headers: json, body: JSON.stringify({ model: 'tinychat', n_predict: 1 }) },
  { status: 403, path: 'chat/completions', headers: json, body: JSON.stringify({ ...chat, model: 'other' }) },
  { status: 404, path: 'chat/completions', headers: json, body: JSON.stringify({ ...chat, model: 'none' }) },
  { status: 413, path: 'chat/completions', headers: json, body: tooMuch },
  { status: 415, path: 'chat/completions', headers: { 'content-type': 'text/plain' }, body: JSON.stringify(chat) },
] as const

for (const store of storeKinds) {
  test(`counting in ${store}, what is refused before it is counted says what is left`, async t => {
    const world = await startLimited(t, {
      store,
      tiers: {
        free: {
          limits: { requestsPerDay: 5, tokensPerDay: 10_000 },
          models: ['tinychat'],
          maxTokens: { default: 100 },
        },
        open: { models: ['tinychat'] },
        mute: { limits: { requestsPerDay: 5 }, scopes: ['models'] },
      },
      models: { other: { targets: [{ backend: 'main' }] } },
    })
    const caller = await world.caller()
    const counted = await caller.chat()
    assert.equal(counted.headers.get('x-ratelimit-remaining-requests'), '4')

    for (const { status, path, headers, body } of refusals) {
      await t.test(`${status} of ${path}`, async () => {
        const answer = await send(world, caller, { path, headers, body })
        assert.equal(answer.status, status)
        assert.equal(answer.headers.get('x-ratelimit-limit-requests'), '5')
        assert.equal(answer.headers.get('x-ratelimit-remaining-requests'), '4')
        assert.equal(answer.headers.get('x-ratelimit-limit-tokens'), '10000')
        assert.match(
          answer.headers.get('ratelimit') ?? '',
          /^"requests-per-day";r=4;t=\d+, "tokens-per-day";r=9\d{3};t=\d+$/,
        )
      })
    }

    await t.test('403 for want of a scope', async () => {
      const mute = await world.caller({ tier: 'mute' })
      const answer = await send(world, mute, { path: 'chat/completions', headers: json, body: JSON.stringify(chat) })
      assert.equal(answer.status, 403)
      assert.equal(answer.headers.get('x-ratelimit-remaining-requests'), '5')
      assert.equal(answer.headers.get('x-ratelimit-limit-tokens'), null)
    })

    await t.test('nothing where there is no rate, and nothing where no inference is asked for', async () => {
      const open = await world.caller({ tier: 'open' })
      const free = await send(world, open, { path: 'chat/completions', headers: json, body: '{' })
      assert.equal(free.status, 400)
      assert.equal(free.headers.get('ratelimit'), null)
      const missing = await send(world, caller, { path: 'models/none' })
      assert.equal(missing.status, 404)
      assert.equal(missing.headers.get('ratelimit'), null)
    })
  })
}

interface Sent {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

async function send({ gateway }: Limited, { key }: Caller, { path, headers = {}, body }: Sent): Promise<Response> {
  const answer = await gateway.fetch(`${gateway.url}/v1/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...headers, authorization: `Bearer ${key}` },
    ...(body !== undefined && { body }),
  })
  await answer.text()
  return answer
}
