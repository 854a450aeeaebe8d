import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI from 'openai'
import { diesAfter, errorAnswer, hangsUp } from '../../support/behaviours.ts'
import { llamaServer } from '../../support/engines.ts'
import { startFleet } from '../../support/fleet.ts'
import { adminKey } from '../../support/gateway.ts'
import { ask, question, readStream } from '../../support/inference.ts'

test('R04 streams that die in the middle open the breaker', async t => {
  const fleet = await startFleet(t, [llamaServer({ chat: diesAfter(2) })])
  for (let times = 0; times < 5; times += 1) {
    const stream = await readStream(await ask(t, fleet.gateway))
    assert.equal(stream.error?.['code'], 'upstream_incomplete')
  }
  const answer = await (await ask(t, fleet.gateway)).response()
  assert.equal(answer.status, 503)
  assert.equal(fleet.inferences().length, 5)
})

test('R05 a caller who leaves before the next try is not tried for', async t => {
  const busy = errorAnswer(503, { error: { message: 'busy', type: 'unavailable_error', code: 503 } }, [
    ['Retry-After', '1'],
  ])
  const fleet = await startFleet(t, [llamaServer({ chat: busy })], { slots: 1 })
  const client = await ask(t, fleet.gateway)
  await fleet.backends[0]?.nextRequest('/v1/chat/completions')
  await sleep(200)
  client.destroy()
  await sleep(1500)
  assert.equal(fleet.inferences().length, 1)
})

test('R08 the SDK does not try again while the breaker is open', async t => {
  const fleet = await startFleet(t, [llamaServer({ chat: hangsUp('reset') })])
  for (let times = 0; times < 10; times += 1) await (await ask(t, fleet.gateway)).response()
  let requests = 0
  const openai = new OpenAI({
    apiKey: adminKey,
    baseURL: `${fleet.gateway.url}/v1`,
    maxRetries: 5,
    fetch: (...args) => {
      requests += 1
      return fleet.gateway.fetch(...args)
    },
  })
  await assert.rejects(openai.chat.completions.create(question), { status: 503 })
  assert.equal(requests, 1)
})
