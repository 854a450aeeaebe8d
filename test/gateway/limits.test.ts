import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { refusal } from '../support/api-error.ts'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { type Caller, settledAt, startLimited, storeKinds } from '../support/limited.ts'

const hello = [{ role: 'user' as const, content: 'hi' }]
const question = { model: 'tinychat', messages: hello }
/** What the scripted backend says of each answer. */
const promptTokens = 16
const answerTokens = 7
const usedTokens = promptTokens + answerTokens

/** A stream that is known to run: its first event has been read. */
async function openStream({ openai }: Caller) {
  const stream = await openai.chat.completions.create({ ...question, stream: true })
  const events = stream[Symbol.asyncIterator]()
  await events.next()
  return { stop: () => stream.controller.abort() }
}

/** Long enough that nothing is refilled while a test runs. */
const perDay = (requestsPerDay: number) => ({ limits: { requestsPerDay } })

for (const store of storeKinds) {
  test(`counting in ${store}`, async t => {
    const world = await startLimited(t, {
      store,
      tiers: {
        free: { limits: { requestsPerMinute: 600, tokensPerMinute: 100_000, burst: 3 } },
        daily: perDay(2),
        tokens: { limits: { tokensPerDay: 5000 }, maxTokens: { default: 100, cap: 1000 } },
        small: { limits: { tokensPerMinute: 50 } },
        quota: { quotas: { tokensPerMonth: 300 }, maxTokens: { default: 100 } },
        spend: { spendLimits: { perDay: '0.01' }, maxTokens: { default: 100 } },
        flight: { limits: { requestsInFlight: 2 } },
        open: {},
      },
      model: { prices: [{ from: '2026-01-01', input: '10.00', output: '50.00' }] },
    })
    const { backend } = world

    await t.test('every answer says what is left, before its first byte', async () => {
      const caller = await world.caller({ tier: 'tokens' })
      const { headers } = await caller.chat({ stream: true })
      assert.equal(headers.get('x-ratelimit-limit-tokens'), '5000')
      // 100 for the answer, and the bytes of the messages with 64 beside.
      const reserved = 100 + JSON.stringify(hello).length + 64
      assert.equal(headers.get('x-ratelimit-remaining-tokens'), String(5000 - reserved))
      assert.match(headers.get('x-ratelimit-reset-tokens') ?? '', /^\d+m\d+s$/)
      assert.equal(headers.get('ratelimit-policy'), '"tokens-per-day";q=5000;w=86400')
      assert.match(headers.get('ratelimit') ?? '', new RegExp(`^"tokens-per-day";r=${5000 - reserved};t=\\d+$`))
      await settledAt(caller, 'tokens_per_day', usedTokens)
      const open = await (await world.caller({ tier: 'open' })).chat()
      assert.equal(open.headers.get('x-ratelimit-limit-requests'), null)
      assert.equal(open.headers.get('ratelimit'), null)
    })

    await t.test('whoever alone waits exactly as long as told succeeds', async () => {
      const caller = await world.caller({ tier: 'free' })
      for (let i = 0; i < 3; i++) assert.equal((await caller.chat()).status, 200)
      let denied = await caller.chat()
      // A refill every 100 ms may have come in between.
      while (denied.status === 200) denied = await caller.chat()
      assert.equal(denied.status, 429)
      assert.equal(denied.error?.type, 'requests')
      assert.equal(denied.error?.code, 'rate_limit_exceeded')
      assert.match(denied.error?.message ?? '', /600 requests a minute.*It fits in 1 s/)
      assert.equal(denied.headers.get('x-ratelimit-remaining-requests'), '0')
      assert.equal(denied.headers.get('x-should-retry'), null)
      const waitMs = Number(denied.headers.get('retry-after-ms'))
      assert.ok(waitMs > 0 && waitMs <= 101, String(waitMs))
      assert.equal(denied.headers.get('retry-after'), '1')
      await sleep(waitMs)
      assert.equal((await caller.chat()).status, 200)
    })

    await t.test("an account's limit holds for all of its keys, and a key's own beside it", async () => {
      const one = await world.caller({ tier: 'daily', keyLimits: { requests_per_day: 1 } })
      const other = await world.caller({ account: one.account })
      assert.equal((await one.chat()).status, 200)
      const denied = await one.chat()
      assert.equal(denied.status, 429)
      assert.match(denied.error?.message ?? '', /^This key may make 1 request a day/)
      assert.equal((await other.chat()).status, 200)
      assert.match((await other.chat()).error?.message ?? '', /^This account may make 2 requests a day/)
      const seen = await one.limits()
      assert.deepEqual(
        [seen['requests_per_day']?.used, seen['key:requests_per_day']?.used, seen['key:requests_per_day']?.remaining],
        [2, 1, 0],
      )
    })

    await t.test('a request that could never fit is told so', async () => {
      const { openai } = await world.caller({ tier: 'small' })
      await refusal(openai.chat.completions.create({ ...question, max_tokens: 100 }), {
        status: 429,
        type: 'tokens',
        code: 'rate_limit_exceeded',
        message: /up to 1\d\d tokens\. It never fits\. Lower max_tokens/,
        retry: { 'retry-after': '60', 'retry-after-ms': '60000', 'x-should-retry': 'false' },
      })
    })

    await t.test('where only the estimate of the prompt keeps a request out its engine is asked', async () => {
      const caller = await world.caller({ tier: 'small' })
      // 100 bytes and 64 beside are more than 50, 16 tokens are not.
      assert.equal((await caller.chat({ max_tokens: 20 })).status, 200)
      await settledAt(caller, 'tokens_per_minute', usedTokens)
    })

    await t.test('a quota ends with its month and is never worth another try', async () => {
      const caller = await world.caller({ tier: 'quota' })
      assert.equal((await caller.chat()).status, 200)
      await settledAt(caller, 'tokens_per_month', usedTokens)
      const denied = await caller.chat({ max_tokens: 280 })
      assert.equal(denied.status, 429)
      assert.equal(denied.error?.type, 'insufficient_quota')
      assert.equal(denied.error?.code, 'insufficient_quota')
      assert.equal(denied.headers.get('x-should-retry'), 'false')
      const { resets_at } = (await caller.limits())['tokens_per_month'] ?? {}
      const now = new Date()
      assert.equal(resets_at, new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)).toISOString())
    })

    await t.test('money is held at most and settled as used', async () => {
      const caller = await world.caller({ tier: 'spend' })
      assert.equal((await caller.chat()).status, 200)
      // 16 tokens at 10 USD and 7 at 50 USD a million.
      await settledAt(caller, 'spend_per_day', '0.00051')
      const denied = await caller.chat({ max_tokens: 200 })
      assert.equal(denied.status, 429)
      assert.equal(denied.error?.code, 'insufficient_quota')
      assert.match(denied.error?.message ?? '', /0\.01 USD a calendar day; 0\.00949 USD are left/)
    })

    await t.test('places in flight are given back when a stream ends, also where its caller leaves', async () => {
      backend.use(llamaServer({ chat: chat({ tokens: 500, everyMs: 20 }) }))
      const caller = await world.caller({ tier: 'flight' })
      const [first] = await Promise.all([openStream(caller), openStream(caller)])
      const denied = await caller.chat()
      assert.equal(denied.status, 429)
      assert.equal(denied.error?.type, 'requests')
      assert.match(denied.error?.message ?? '', /2 requests at the same time/)
      assert.ok(Number(denied.headers.get('retry-after-ms')) >= 1000)
      first.stop()
      await settledAt(caller, 'requests_in_flight', 1)
      const third = await openStream(caller)
      third.stop()
      backend.use(llamaServer({ dimensions: 4 }))
    })

    await t.test('a caller that leaves is charged what was generated', async () => {
      backend.use(llamaServer({ chat: chat({ tokens: 500, everyMs: 5 }) }))
      const caller = await world.caller({ tier: 'tokens' })
      const stream = await caller.openai.chat.completions.create({ ...question, max_tokens: 1000, stream: true })
      let events = 0
      for await (const _ of stream) if (++events === 20) break
      const prompt = JSON.stringify(hello).length + 64
      const used = await eventually('the settlement', async () => {
        const amount = Number((await caller.limits())['tokens_per_day']?.used)
        return amount < prompt + 500 ? amount : undefined
      })
      assert.ok(used !== undefined && used >= prompt + 15 && used <= prompt + 60, `${used} of ${prompt}`)
      backend.use(llamaServer({ dimensions: 4 }))
    })

    await t.test('what is refused before it runs, or cannot be sent, uses nothing', async () => {
      const caller = await world.caller({ tier: 'daily' })
      assert.equal((await caller.chat({ n_predict: 5 })).status, 400)
      assert.equal((await caller.chat({ model: 'none' })).status, 404)
      await backend.stop()
      assert.equal((await caller.chat()).status, 502)
      await settledAt(caller, 'requests_per_day', 0)
      await backend.start()
    })

    await t.test('another limit holds at once, and what was counted stays counted', async () => {
      const caller = await world.caller({ tier: 'daily' })
      for (const status of [200, 200, 429]) assert.equal((await caller.chat()).status, status)
      const admin = world.gateway
      const patch = async (body: object) => {
        const list = await admin.fetch(`${admin.url}/admin/accounts?name=${caller.account}`, {
          headers: { authorization: `Bearer ${admin.openai.apiKey}` },
        })
        const { data } = (await list.json()) as { data: { id: string; name: string }[] }
        const id = data.find(({ name }) => name === caller.account)?.id
        const answer = await admin.fetch(`${admin.url}/admin/accounts/${id}`, {
          method: 'PATCH',
          headers: { authorization: `Bearer ${admin.openai.apiKey}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
        assert.equal(answer.status, 200)
      }
      await patch({ limits: { requests_per_day: 3 } })
      for (const status of [200, 429]) assert.equal((await caller.chat()).status, status)
      await patch({ tier: 'open', limits: null })
      assert.equal((await caller.chat()).status, 200)
    })

    await t.test('completions and embeddings count as well', async () => {
      const { openai } = await world.caller({ tier: 'daily' })
      await openai.completions.create({ model: 'tinychat', prompt: ['a', 'b'] })
      await openai.embeddings.create({ model: 'tinychat', input: 'a' })
      await assert.rejects(
        async () => openai.embeddings.create({ model: 'tinychat', input: 'a' }),
        /429.*2 requests a day/,
      )
    })

    await t.test('an SDK waits by itself until the limit frees, and its call succeeds', async () => {
      const caller = await world.caller({ tier: 'free' })
      const patient = caller.openai.withOptions({ maxRetries: 2 })
      const answers = await Promise.all(Array.from({ length: 5 }, () => patient.chat.completions.create(question)))
      assert.equal(answers.length, 5)
    })

    await t.test('the metrics tell of reservations, denials and corrections', async () => {
      const text = await (await world.gateway.fetch(`${world.gateway.url}/metrics`)).text()
      assert.match(text, /^weir_limit_reservations_total\{outcome="admitted"\} [1-9]/m)
      assert.match(text, /^weir_limit_reservations_total\{outcome="denied"\} [1-9]/m)
      assert.match(text, /^weir_limit_denials_total\{limit="requests_per_day",of="account",tier="daily"\} [1-9]/m)
      assert.match(text, /^weir_limit_correction_tokens_total\{kind="refund"\} [1-9]/m)
      assert.match(text, /^weir_limit_local_mode 0$/m)
      if (store === 'Redis') assert.match(text, /^weir_limit_script_duration_seconds_count [1-9]/m)
    })
  })
}
