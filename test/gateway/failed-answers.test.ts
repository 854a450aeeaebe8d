import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { type TestContext, test } from 'node:test'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { listUsageEvents } from '../../src/store/usage-listing.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import type { Behaviour } from '../support/exchange.ts'
import type { Gateway } from '../support/gateway.ts'
import { settledAt, startLimited } from '../support/limited.ts'
import { anyEvent } from '../support/usage.ts'

/** Answers with as many vectors, however many texts there are. */
const vectors =
  (count: number): Behaviour =>
  exchange => {
    const data = Array.from({ length: count }, (_, index) => ({ object: 'embedding', index, embedding: [0.5, 0.25] }))
    return exchange.json(200, { object: 'list', data, usage: { prompt_tokens: 2, total_tokens: 2 } })
  }

async function start(t: TestContext, embeddings: Behaviour) {
  const world = await startLimited(t, {
    behaviour: llamaServer({ dimensions: 4, embeddings }),
    tiers: { free: { limits: { tokensPerDay: 100_000, requestsPerDay: 100 }, spendLimits: { perDay: '1' } } },
    model: { prices: [{ from: '2026-01-01', input: '10.00', output: '50.00' }] },
  })
  const caller = await world.caller()
  const embed = async (more: object = {}) => {
    const headers = { authorization: `Bearer ${caller.key}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ model: 'tinychat', input: 'hi', ...more })
    const answer = await world.gateway.fetch(`${world.gateway.url}/v1/embeddings`, { method: 'POST', headers, body })
    await answer.text()
    return answer
  }
  return { ...world, caller, embed }
}

async function onlyEvent({ app }: Gateway): Promise<UsageEvent> {
  const find = () => listUsageEvents(app.sql, anyEvent, { limit: 10, before: null })
  await eventually('its event', async () => (await find()).length > 0)
  assert.equal(await app.ledger.flush(5000), true)
  const [event, ...others] = await find()
  assert.ok(event)
  assert.deepEqual(others, [], 'exactly one')
  return event
}

function assertFree(event: UsageEvent, error: string): void {
  const { status, inputTokens, outputTokens, costNanoUsd, backendMs, backend, answeredModel, firstTokenMs } = event
  assert.deepEqual(
    { status, error: event.error, inputTokens, outputTokens, costNanoUsd, backendMs, backend, answeredModel },
    {
      status: 'error',
      error,
      inputTokens: 0,
      outputTokens: 0,
      costNanoUsd: 0,
      backendMs: 0,
      backend: null,
      answeredModel: null,
    },
  )
  assert.equal(firstTokenMs, null)
}

/** Makes the first head that the gateway writes for such a request fail, as one with an invalid header does. */
function breakFirstHead({ app }: Gateway, path: string): void {
  const listener: RequestListener = (request, response) => {
    if (request.url !== path) return
    app.server.off('request', listener)
    const { writeHead } = response
    response.writeHead = () => {
      response.writeHead = writeHead
      throw Object.assign(new TypeError('Invalid character in header content'), { code: 'ERR_INVALID_CHAR' })
    }
  }
  app.server.prependListener('request', listener)
}

test('an answer that cannot be sent is a mistake of ours: its caller has an error only, and pays nothing', async t => {
  const { gateway, caller, embed } = await start(t, vectors(1))
  breakFirstHead(gateway, '/v1/embeddings')
  const answer = await embed()
  assert.deepEqual([answer.status, answer.headers.get('x-weir-cost')], [500, '0'])
  const event = await onlyEvent(gateway)
  assertFree(event, 'internal')
  assert.deepEqual(event.attempts, [{ backend: 'main', model: 'tinychat', fault: null }])
  await settledAt(caller, 'spend_per_day', '0')
  await settledAt(caller, 'tokens_per_day', 0)
  await settledAt(caller, 'requests_per_day', 1)
})

test('what a backend gave and its caller did not get since it is no answer costs nothing', async t => {
  const { gateway, caller, embed } = await start(t, vectors(2))
  const answer = await embed()
  assert.deepEqual([answer.status, answer.headers.get('x-weir-cost')], [502, '0'])
  assertFree(await onlyEvent(gateway), 'rubbish')
  await settledAt(caller, 'spend_per_day', '0')
})

test('what a caller asked for and its model does not give costs nothing either', async t => {
  const { gateway, embed } = await start(t, vectors(1))
  const answer = await embed({ dimensions: 8 })
  assert.deepEqual([answer.status, answer.headers.get('x-weir-cost')], [400, '0'])
  assertFree(await onlyEvent(gateway), 'client')
})

test('an answer that arrives is paid', async t => {
  const { gateway, caller, embed } = await start(t, vectors(2))
  const answer = await embed({ input: ['a', 'b'] })
  assert.deepEqual([answer.status, answer.headers.get('x-weir-cost')], [200, '0.00002'])
  const { status, error, costNanoUsd } = await onlyEvent(gateway)
  assert.deepEqual({ status, error, costNanoUsd }, { status: 'ok', error: null, costNanoUsd: 20_000 })
  await settledAt(caller, 'spend_per_day', '0.00002')
})
