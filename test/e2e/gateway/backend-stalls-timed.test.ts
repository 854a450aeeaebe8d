import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { neverAnswers, stallsAfter } from '../../support/behaviours.ts'
import { chat } from '../../support/completion.ts'
import { llamaServer, vllmServer } from '../../support/engines.ts'
import type { Behaviour } from '../../support/exchange.ts'
import type { Gateway } from '../../support/gateway.ts'
import {
  ask,
  chatChunk,
  errorOf,
  gatewayBefore,
  gather,
  question,
  readStream,
  requestLine,
  type StreamSeen,
  streamQuestion,
} from '../../support/inference.ts'
import type { RawEvent } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

/** Reads a stream and how long it was silent (but for comments) before it ended. */
async function readStalled(t: TestContext, gateway: Gateway): Promise<{ seen: StreamSeen; silentMs: number }> {
  const client = await ask(t, gateway)
  assert.equal((await client.head()).status, 200)
  const read: RawEvent[] = []
  let lastAtMs = Number.NaN
  for await (const event of client.events()) {
    read.push(event)
    if (event.data?.includes('"content":" word')) lastAtMs = performance.now()
  }
  const seen = gather(read)
  return { seen, silentMs: seen.endedAtMs - lastAtMs }
}

function assertNear(ms: number, expectedMs: number): void {
  assert.ok(Math.abs(ms - expectedMs) <= 100, `${ms} ms instead of ${expectedMs} ms`)
}

test('S08 a backend that stops in mid-stream: an error at the idle timeout, heartbeats before it', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: stallsAfter(1) }))
  const gateway = await gatewayBefore(t, backend, { timeouts: { idle: '2500ms' }, server: { heartbeat: '1s' } })
  const streams = [1, 1, 5, 5, 5].map(async tokens => {
    backend.use(llamaServer({ chat: stallsAfter(tokens) }))
    const stalled = readStalled(t, gateway)
    const exchange = await backend.nextRequest('/v1/chat/completions')
    return { ...(await stalled), closing: await exchange.closed }
  })
  for (const { seen, silentMs, closing } of await Promise.all(streams)) {
    t.diagnostic(`error after ${silentMs.toFixed(0)} ms`)
    assertNear(silentMs, 2500)
    assert.equal(seen.error?.['code'], 'upstream_timeout')
    assert.equal(seen.isDone, false)
    assert.ok(seen.comments.length >= 1 && seen.comments.every(comment => comment === 'ping'))
    assert.equal(closing.by, 'client')
    assertNear(closing.atMs, seen.endedAtMs)
  }
  const line = await requestLine(gateway)
  assert.deepEqual([line['outcome'], line['reason']], ['timeout', 'idle timeout of 2500 ms'])
})

for (const engine of ['llama-server', 'vllm'] as const) {
  for (const body of [streamQuestion, question]) {
    if (engine === 'vllm' && !('stream' in body)) continue
    const kind = 'stream' in body ? 'a stream' : 'one piece'
    test(`S08 comments of ${engine} are no sign of life of its answer (${kind})`, async t => {
      const stalls: Behaviour = async exchange => {
        await exchange.stream()
        await exchange.event(chatChunk(' word0'))
        while (await exchange.wait(100)) await exchange.comment()
      }
      const server = engine === 'vllm' ? vllmServer({ chat: stalls }) : llamaServer({ chat: stalls })
      const backend = await startScriptedBackend(t, server)
      const gateway = await gatewayBefore(t, backend, { engine, timeouts: { idle: '500ms' } })
      const client = await ask(t, gateway, body)
      if ('stream' in body) {
        const seen = await readStream(client)
        assert.equal(seen.error?.['code'], 'upstream_timeout')
        assert.deepEqual(seen.comments, [], 'and they are not passed on')
      } else {
        const answer = await client.response()
        assert.equal(answer.status, 504)
        assert.equal(errorOf(answer)['code'], 'upstream_timeout')
      }
    })
  }
}

test('S08 a token that comes in tiny pieces is a sign of life', async t => {
  const trickles: Behaviour = async exchange => {
    await exchange.stream()
    await exchange.event(chatChunk(' word0'))
    const event = Buffer.from(`data: ${JSON.stringify(chatChunk(' word1', 'stop'))}\n\n`)
    for (let at = 0; at < event.length && (await exchange.wait(60)); at += 10) {
      await exchange.chunk(event.subarray(at, at + 10))
    }
    await exchange.done()
    await exchange.end()
  }
  const backend = await startScriptedBackend(t, llamaServer({ chat: trickles }))
  const gateway = await gatewayBefore(t, backend, { timeouts: { idle: '400ms' } })
  const seen = await readStream(await ask(t, gateway))
  assert.equal(seen.error, undefined)
  assert.equal(seen.text, ' word0 word1')
})

for (const [kind, behaviour] of Object.entries({
  'no headers': neverAnswers(),
  'headers but no token': chat({ firstTokenAfterMs: 60_000 }),
  'comments but no token': (async exchange => {
    await exchange.stream()
    while (await exchange.wait(50)) await exchange.comment()
  }) satisfies Behaviour,
})) {
  test(`a backend that sends ${kind} is a 504 at the first-token timeout`, async t => {
    const backend = await startScriptedBackend(t, llamaServer({ chat: behaviour }))
    const gateway = await gatewayBefore(t, backend, { timeouts: { firstToken: '400ms' } })
    // The first request has its validator compiled, which is not what is measured.
    assert.equal((await (await ask(t, gateway, { ...question, messages: [] })).response()).status, 400)
    for (const [n, body] of [streamQuestion, question].entries()) {
      const startedAtMs = performance.now()
      const answer = await (await ask(t, gateway, body)).response()
      assertNear(performance.now() - startedAtMs, 400)
      assert.equal(answer.status, 504)
      assert.equal(errorOf(answer)['code'], 'upstream_timeout')
      assert.equal((await backend.nextClose('/v1/chat/completions')).by, 'client')
      const line = await requestLine(gateway, n + 1)
      assert.deepEqual([line['outcome'], line['firstTokenMs']], ['timeout', undefined])
    }
  })
}

test('a backend that sends much, and nothing of weight, is not listened to for ever', async t => {
  // More than is held back; nothing of it has been passed on.
  const idles: Behaviour = async exchange => {
    await exchange.stream()
    for (let n = 0; n < 3000; n += 1) await exchange.control(chatChunk(''))
    await exchange.stall()
  }
  const backend = await startScriptedBackend(t, llamaServer({ chat: idles }))
  const gateway = await gatewayBefore(t, backend, { timeouts: { firstToken: '1s' } })
  const answer = await (await ask(t, gateway)).response()
  assert.equal(answer.status, 502)
  assert.equal(errorOf(answer)['code'], 'upstream_error')
  assert.equal((await backend.nextClose('/v1/chat/completions')).by, 'client')
})

test('the total timeout ends an answer that goes on and on', async t => {
  const backend = await startScriptedBackend(t, vllmServer({ answer: { tokens: 10_000, everyMs: 20 } }))
  const gateway = await gatewayBefore(t, backend, { engine: 'vllm', timeouts: { total: '600ms' } })
  const seen = await readStream(await ask(t, gateway))
  assert.equal(seen.error?.['code'], 'upstream_timeout')
  const answer = await (await ask(t, gateway, question)).response()
  assert.equal(answer.status, 504)
  assert.equal((await requestLine(gateway, 2))['reason'], 'total timeout of 600 ms')
  for (let n = 0; n < 2; n += 1) assert.equal((await backend.nextClose('/v1/chat/completions')).by, 'client')
})

test('the 200 goes out after commitAfter, comments keep it alive, and a failure afterwards is an event', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: neverAnswers() }))
  const gateway = await gatewayBefore(t, backend, { server: { commitAfter: '300ms', heartbeat: '1s' } })
  const startedAtMs = performance.now()
  const client = await ask(t, gateway)
  const head = await client.head()
  assertNear(performance.now() - startedAtMs, 300)
  assert.equal(head.status, 200)
  assert.equal(head.header('content-type'), 'text/event-stream; charset=utf-8')
  assert.equal(head.header('cache-control'), 'no-cache, no-transform')
  assert.equal(head.header('x-accel-buffering'), 'no')
  assert.match(head.header('x-request-id') ?? '', /^req_[0-9a-f]{32}$/)
  assert.match(head.header('openai-processing-ms') ?? '', /^[0-9]+$/)
  const exchange = await backend.nextRequest('/v1/chat/completions')
  const read: RawEvent[] = []
  for await (const event of client.events()) {
    read.push(event)
    if (read.length === 3) exchange.reset()
  }
  assert.deepEqual(
    read.slice(0, 3).map(event => event.raw),
    [': ping\n\n', ': ping\n\n', ': ping\n\n'],
  )
  assert.equal(gather(read).error?.['code'], 'upstream_incomplete')
})

test('content after commitAfter is relayed as ever', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ answer: { firstTokenAfterMs: 300, tokens: 3 } }))
  const gateway = await gatewayBefore(t, backend, { server: { commitAfter: '50ms' } })
  const seen = await readStream(await ask(t, gateway))
  assert.deepEqual([seen.text, seen.isDone, seen.comments], [' word0 word1 word2', true, ['ping']])
})
