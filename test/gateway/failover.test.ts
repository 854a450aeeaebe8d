import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diesAfter, errorAnswer, hangsUp, loading, neverAnswers } from '../support/behaviours.ts'
import { llamaServer, vllmServer } from '../support/engines.ts'
import { startFleet } from '../support/fleet.ts'
import { ask, errorOf, question, readStream, requestLine } from '../support/inference.ts'

const beforeContent: Readonly<Record<string, Parameters<typeof llamaServer>[0] & object>> = {
  'a connection that is reset': { chat: hangsUp('reset') },
  'a connection that ends': { chat: hangsUp('fin') },
  'a stream that ends before its first token': { chat: diesAfter(0) },
  'a 503': { chat: loading() },
  'a 429': { chat: errorAnswer(429, { error: { message: 'slow down', type: 'rate_limit', code: 429 } }) },
}

for (const [name, options] of Object.entries(beforeContent)) {
  test(`S05 ${name} on one backend is an answer from another one, streamed and in one piece`, async t => {
    // An idle fleet is shared by weight, so the first try goes to the one that fails.
    const targets = [
      { backend: 'b0', weight: 1000 },
      { backend: 'b1', weight: 1 },
    ]
    const fleet = await startFleet(t, [llamaServer(options), llamaServer()], { model: { targets } })
    const stream = await readStream(await ask(t, fleet.gateway))
    assert.ok(stream.isDone && stream.text !== '' && stream.error === undefined)
    const answer = await fleet.gateway.openai.chat.completions.create(question)
    assert.equal(answer.choices[0]?.finish_reason, 'stop')
    assert.ok(fleet.inferences(0).length > 0)
  })
}

test('S05 after the first token nothing is tried again', async t => {
  const fleet = await startFleet(
    t,
    [diesAfter(1), diesAfter(1)].map(chat => llamaServer({ chat })),
  )
  const stream = await readStream(await ask(t, fleet.gateway))
  assert.equal(stream.isDone, false)
  assert.equal(stream.error?.['code'], 'upstream_incomplete')
  assert.equal(fleet.inferences().length, 1)
})

test('S11 an error instead of the first event is answered by another backend', async t => {
  const disguised = llamaServer({
    chat: async exchange => {
      await exchange.stream()
      await exchange.event({ error: { message: 'slot is broken', type: 'server_error', code: 500 } })
      await exchange.end()
    },
  })
  // Both that fail are most likely tried first; more tries than that a start has not saved up.
  const targets = [1000, 1000, 1].map((weight, index) => ({ backend: `b${index}`, weight }))
  const fleet = await startFleet(t, [disguised, disguised, llamaServer()], { model: { targets } })
  const stream = await readStream(await ask(t, fleet.gateway))
  assert.ok(stream.isDone && stream.error === undefined)
  assert.ok(fleet.inferences(2).length === 1 && fleet.inferences().length > 1)
})

test('an answer that a backend stands by is not asked for elsewhere', async t => {
  const refusing = errorAnswer(400, { error: { message: 'bad', type: 'invalid_request_error', code: 400 } })
  const fleet = await startFleet(t, [llamaServer({ chat: refusing }), llamaServer({ chat: refusing })])
  const client = await ask(t, fleet.gateway, question)
  assert.equal((await client.response()).status, 400)
  assert.equal(fleet.inferences().length, 1)
})

test('R02 what was sent to an engine that does not stop with its client is not sent again', async t => {
  const lost = vllmServer({ chat: hangsUp('reset') })
  const fleet = await startFleet(t, [lost, lost], { engine: 'openai' })
  const client = await ask(t, fleet.gateway, question)
  const answer = await client.response()
  assert.equal(answer.status, 502)
  assert.equal(errorOf(answer)['code'], 'upstream_error')
  assert.equal(fleet.inferences().length, 1)
})

test('R02 where nothing was sent it is, whatever the engine', async t => {
  const fleet = await startFleet(t, [vllmServer(), vllmServer()], { engine: 'openai' })
  await fleet.backends[0]?.stop()
  for (let times = 0; times < 4; times += 1) {
    const client = await ask(t, fleet.gateway, question)
    assert.equal((await client.response()).status, 200)
  }
})

test('a first token that does not come in time is asked for elsewhere, once we have let go', async t => {
  const fleet = await startFleet(t, [llamaServer({ chat: neverAnswers() }), llamaServer()], {
    timeouts: { firstToken: '200ms' },
  })
  for (let times = 0; times < 2; times += 1) {
    const stream = await readStream(await ask(t, fleet.gateway))
    assert.ok(stream.isDone && stream.error === undefined)
  }
  for (const exchange of fleet.inferences(0)) assert.equal((await exchange.closed).by, 'client')
})

test('R07 a time that is no number of milliseconds is refused by its name', async t => {
  const { gateway } = await startFleet(t, [llamaServer()])
  for (const value of ['0', '-1', '1.5', 'soon', '9999999999']) {
    const response = await gateway.fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${gateway.openai.apiKey}`,
        'content-type': 'application/json',
        'x-request-timeout-ms': value,
      },
      body: JSON.stringify(question),
    })
    const { error } = (await response.json()) as { error: { param: string } }
    assert.deepEqual([response.status, error.param], [400, 'x-request-timeout-ms'], value)
  }
})

test('the log line of a request has its tries', async t => {
  const fleet = await startFleet(t, [llamaServer({ chat: hangsUp('reset') }), llamaServer({ chat: hangsUp('reset') })])
  const client = await ask(t, fleet.gateway, question)
  assert.equal((await client.response()).status, 502)
  const { attempts, tries } = await requestLine(fleet.gateway)
  assert.equal(attempts, 3)
  assert.equal((tries as unknown[]).length, 3)
})
