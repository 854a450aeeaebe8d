import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BACKEND_SECRET, endlessError, notAStream, replay } from '../support/behaviours.ts'
import { llamaServer, vllmServer } from '../support/engines.ts'
import type { Behaviour } from '../support/exchange.ts'
import {
  ask,
  assertNoSecret,
  errorOf,
  gatewayBefore,
  type Json,
  question,
  readStream,
  streamQuestion,
} from '../support/inference.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

const secret = { error: { message: BACKEND_SECRET, type: BACKEND_SECRET, code: BACKEND_SECRET, param: BACKEND_SECRET } }

test('S10 no more of an error body is read than may be', async t => {
  const backend = await startScriptedBackend(t, vllmServer({ chat: endlessError() }))
  const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
  for (const body of [streamQuestion, question]) {
    await (await ask(t, gateway, body)).response()
    const closing = await backend.nextClose('/v1/chat/completions')
    assert.equal(closing.by, 'client')
    // What the kernels hold is on top of the 64 KiB that are read.
    assert.ok(closing.exchange.bytesSent < 8_000_000, `${closing.exchange.bytesSent} bytes`)
  }
})

test('S10 an error body that never ends is not waited for', async t => {
  const slowError: Behaviour = async exchange => {
    await exchange.head(500, [
      ['Content-Type', 'application/json'],
      ['Content-Length', '100000'],
    ])
    await exchange.write('{"error":')
    await exchange.stall()
  }
  const backend = await startScriptedBackend(t, vllmServer({ chat: slowError }))
  const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
  for (const body of [streamQuestion, question]) {
    const startedAtMs = performance.now()
    const answer = await (await ask(t, gateway, body)).response()
    assert.equal(answer.status, 502)
    assert.equal(errorOf(answer)['code'], 'upstream_error')
    assert.ok(performance.now() - startedAtMs < 3000)
    assert.equal((await backend.nextClose('/v1/chat/completions')).by, 'client')
  }
})

test('S11 an error after content is an event, and tells nothing', async t => {
  const behaviour: Behaviour = async exchange => {
    await exchange.stream()
    await exchange.event({ choices: [{ index: 0, delta: { content: 'The' }, finish_reason: null }], model: 'tinychat' })
    await exchange.control(secret)
    await exchange.end()
  }
  const backend = await startScriptedBackend(t, llamaServer({ chat: behaviour }))
  const gateway = await gatewayBefore(t, backend)
  const seen = await readStream(await ask(t, gateway))
  assert.equal(seen.text, 'The')
  assert.equal(seen.error?.['code'], 'upstream_error')
  assertNoSecret(gateway, JSON.stringify(seen.error))
})

const wrongWholes: Record<string, unknown> = {
  'no choices': { choices: [] },
  'a list': [],
  'a text': 'hello',
  'an error': { ...secret, choices: [{}] },
  'no JSON': undefined,
}
test('S11 an answer in one piece that is none is a 502', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
  for (const [what, body] of Object.entries(wrongWholes)) {
    const text = body === undefined ? `{"choices":[${BACKEND_SECRET}` : JSON.stringify(body)
    backend.use(vllmServer({ chat: notAStream('application/json', text) }))
    const answer = await (await ask(t, gateway, question)).response()
    assert.equal(answer.status, 502, what)
    assert.equal(errorOf(answer)['code'], 'upstream_error')
    assertNoSecret(gateway, answer.text)
  }
})

test('embeddings: what the caller did wrong is a 400 with the right param, whatever the backend calls it', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await gatewayBefore(t, backend)
  const send = async (embeddings: Behaviour): Promise<Json> => {
    backend.use(llamaServer({ embeddings }))
    const answer = await (await ask(t, gateway, { model: 'tinychat', input: 'x' }, '/v1/embeddings')).response()
    return { status: answer.status, ...errorOf(answer) }
  }
  const tooLong = await send(replay('311-embed-too-long-for-batch'))
  assert.deepEqual([tooLong['status'], tooLong['code'], tooLong['param']], [400, 'context_length_exceeded', 'input'])
  const exceeded = await send(replay('116-err-context-exceeded'))
  assert.deepEqual([exceeded['status'], exceeded['code'], exceeded['param']], [400, 'context_length_exceeded', 'input'])
  const unable = await send(replay('190-embeddings-on-chat-server'))
  assert.equal(unable['status'], 400)
})
