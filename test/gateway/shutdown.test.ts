import assert from 'node:assert/strict'
import { test } from 'node:test'
import { APIError } from 'openai'
import { neverAnswers, stallsAfter } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import { ask, errorOf, gatewayBefore, gather, question, requestLine, streamQuestion } from '../support/inference.ts'
import type { RawEvent } from '../support/raw-client.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

test('what still runs when the server stops ends with a proper error, and the backend is let go', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: stallsAfter(2) }))
  const gateway = await gatewayBefore(t, backend)
  const client = await ask(t, gateway)
  await client.head()
  const read: RawEvent[] = []
  for await (const event of client.events()) {
    read.push(event)
    if (event.data?.includes('word1')) gateway.app.backends.stopAll()
  }
  const seen = gather(read)
  assert.deepEqual([seen.error?.['code'], seen.error?.['type']], ['server_shutdown', 'server_error'])
  assert.equal(seen.isDone, false)
  assert.equal((await backend.nextClose('/v1/chat/completions')).by, 'client')
  assert.equal((await requestLine(gateway))['outcome'], 'shutdown')
})

test('what has not begun when the server stops is a 503 to be tried elsewhere', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: neverAnswers() }))
  const gateway = await gatewayBefore(t, backend)
  for (const [n, body] of [streamQuestion, question].entries()) {
    const client = await ask(t, gateway, body)
    const exchange = await backend.nextRequest('/v1/chat/completions')
    gateway.app.backends.stopAll()
    const answer = await client.response()
    assert.equal(answer.status, 503)
    assert.equal(errorOf(answer)['code'], 'server_is_overloaded')
    assert.ok(Number(answer.header('retry-after')) >= 1)
    assert.equal((await exchange.closed).by, 'client')
    assert.equal((await requestLine(gateway, n + 1))['outcome'], 'shutdown')
  }
})

test('the SDK raises for a stream that the server had to end', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: stallsAfter(2) }))
  const gateway = await gatewayBefore(t, backend)
  const stream = await gateway.openai.chat.completions.create(streamQuestion)
  let text = ''
  await assert.rejects(
    async () => {
      for await (const event of stream) {
        text += event.choices[0]?.delta.content ?? ''
        if (text === ' word0 word1') gateway.app.backends.stopAll()
      }
    },
    (error: unknown) => error instanceof APIError && error.code === 'server_shutdown',
  )
})
