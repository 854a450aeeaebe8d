import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { APIError } from 'openai'
import { adminOf } from '../support/admin.ts'
import { errorAnswer, hangsUp } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import type { Behaviour } from '../support/exchange.ts'
import { buildGateway, type Gateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const hello = { model: 'large', max_tokens: 400, messages: [{ role: 'user' as const, content: 'hi' }] }

/** The model `large`, on a backend that behaves so, and `small`, which answers in its stead and costs a tenth. */
async function startPair(t: TestContext, behaviour: Behaviour) {
  const large = await startScriptedBackend(t, behaviour)
  const small = await startScriptedBackend(t, llamaServer())
  const price = (usd: string) => [{ from: '2026-01-01', input: usd, output: usd }]
  const gateway = await buildGateway(t, {
    yaml: JSON.stringify({
      tiers: {
        free: { spendLimits: { perDay: '1' }, models: ['*'] },
        narrow: { models: ['large'] },
      },
      backends: {
        one: { url: large.url, engine: 'llama-server' },
        two: { url: small.url, engine: 'llama-server' },
      },
      models: {
        large: { targets: [{ backend: 'one' }], fallback: 'small', prices: price('1000') },
        small: { targets: [{ backend: 'two' }], maxOutputTokens: 100, prices: price('100') },
      },
    }),
  })
  return { gateway, large, small }
}

async function keyOf(gateway: Gateway, tier: string): Promise<string> {
  const admin = adminOf(gateway)
  await admin.get('POST', '/accounts', { name: tier, tier })
  return (await admin.get<{ key: string }>('POST', '/keys', { account: tier, name: tier })).key
}

test('another model answers where no backend of the one that was asked does', async t => {
  const { gateway, large, small } = await startPair(t, llamaServer({ chat: hangsUp('reset') }))
  const key = await keyOf(gateway, 'free')
  const openai = gateway.openai.withOptions({ apiKey: key })

  const { data, response } = await openai.chat.completions.create(hello).withResponse()
  assert.equal(data.model, 'large')
  assert.equal(response.headers.get('x-weir-fallback'), 'small')
  const [asked] = small.exchangesTo('/v1/chat/completions')
  const body = JSON.parse(asked?.request.body.toString() ?? '{}') as Record<string, unknown>
  assert.deepEqual([body['model'], body['max_tokens']], ['small', 100])
  assert.equal(large.exchangesTo('/v1/chat/completions').length, 1)

  // 16 tokens of the prompt and 7 of the answer, at 100 USD a million.
  await eventually('it is paid for as what has answered', async () => {
    const answer = await gateway.fetch(`${gateway.url}/v1/usage/limits`, {
      headers: { authorization: `Bearer ${key}` },
    })
    const { data: limits } = (await answer.json()) as { data: { name: string; used: string }[] }
    return limits.find(({ name }) => name === 'spend_per_day')?.used === '0.0023'
  })

  const stream = await openai.chat.completions.create({ ...hello, stream: true })
  let text = ''
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
  assert.notEqual(text, '')
})

test('a fallback that fails too is the end', async t => {
  const { gateway, small } = await startPair(t, llamaServer({ chat: hangsUp('reset') }))
  await small.stop()
  await assert.rejects(async () => gateway.openai.chat.completions.create(hello), /^Error: 502/)
})

test('what the model itself has answered is the answer', async t => {
  const refused = errorAnswer(400, { error: { message: 'no', type: 'invalid_request_error' } })
  const { gateway, small } = await startPair(t, llamaServer({ chat: refused }))
  await assert.rejects(async () => gateway.openai.chat.completions.create(hello), /^Error: 400/)
  assert.equal(small.exchangesTo('/v1/chat/completions').length, 0)
})

test('no backend of it takes calls: the fallback answers, for those alone who may use it', async t => {
  const { gateway, large, small } = await startPair(t, llamaServer())
  await adminOf(gateway).get('PATCH', '/backends/one', { drained: true })
  const { response } = await gateway.openai.chat.completions.create(hello).withResponse()
  assert.equal(response.headers.get('x-weir-fallback'), 'small')
  const narrow = gateway.openai.withOptions({ apiKey: await keyOf(gateway, 'narrow') })
  await assert.rejects(async () => narrow.chat.completions.create(hello), /^Error: 503/)
  assert.equal(small.exchangesTo('/v1/chat/completions').length, 1)
  assert.equal(large.exchangesTo('/v1/chat/completions').length, 0)
})

test('a fallback that has no place for it changes nothing in what its caller is told', async t => {
  const { gateway, large } = await startPair(t, llamaServer())
  await adminOf(gateway).get('PATCH', '/backends/two', { drained: true })
  large.use(llamaServer({ chat: errorAnswer(503, { error: { message: 'x', type: 'y' } }, [['Retry-After', '7']]) }))
  await assert.rejects(
    async () => gateway.openai.chat.completions.create(hello),
    (error: unknown) => error instanceof APIError && error.status === 503 && error.headers?.get('retry-after') === '7',
  )
})

test('a fallback that is dearer, and may say more, spends no more than the limit', async t => {
  const cheap = await startScriptedBackend(t, llamaServer({ chat: hangsUp('reset') }))
  const dear = await startScriptedBackend(t, llamaServer())
  const price = (usd: string) => [{ from: '2026-01-01', input: usd, output: usd }]
  const gateway = await buildGateway(t, {
    yaml: JSON.stringify({
      tiers: { low: { spendLimits: { perDay: '0.02' } }, high: { spendLimits: { perDay: '1' } } },
      routing: { maxAttempts: 1 },
      backends: {
        one: { url: cheap.url, engine: 'llama-server', slots: 100 },
        two: { url: dear.url, engine: 'llama-server', slots: 100 },
      },
      models: {
        cheap: { targets: [{ backend: 'one' }], fallback: 'dear', maxOutputTokens: 10, prices: price('1') },
        dear: { targets: [{ backend: 'two' }], maxOutputTokens: 600, prices: price('1000') },
      },
    }),
  })
  const usedBy = async (tier: string) => {
    const key = await keyOf(gateway, tier)
    const openai = gateway.openai.withOptions({ apiKey: key })
    const ask = async () => await openai.chat.completions.create({ model: 'cheap', messages: hello.messages })
    const [first, second] = await Promise.allSettled([ask(), ask()])
    const spent = async () => {
      const headers = { authorization: `Bearer ${key}` }
      const answer = await gateway.fetch(`${gateway.url}/v1/usage/limits`, { headers })
      const { data: limits } = (await answer.json()) as { data: { name: string; used: string }[] }
      return limits.find(({ name }) => name === 'spend_per_day')?.used
    }
    return { answered: [first, second].filter(({ status }) => status === 'fulfilled').length, spent }
  }
  // One answer would cost 0.023: that much is not there.
  const low = await usedBy('low')
  assert.deepEqual([low.answered, await low.spent()], [0, '0'])
  // There is room for one of them at the length that the fallback may have, and not for two.
  const high = await usedBy('high')
  assert.equal(high.answered, 1)
  await eventually('it is paid for as what has answered', async () => (await high.spent()) === '0.023')
})
