import assert from 'node:assert/strict'
import { test } from 'node:test'
import { APIError } from 'openai'
import {
  diesAfter,
  endsEarly,
  fillsContext,
  hangsUp,
  inTurn,
  omitsDone,
  stallsAfter,
} from '../../support/behaviours.ts'
import { chat } from '../../support/completion.ts'
import { llamaServer, vllmServer } from '../../support/engines.ts'
import type { Behaviour } from '../../support/exchange.ts'
import { startFaultProxy } from '../../support/fault-proxy.ts'
import {
  ask,
  errorOf,
  gatewayBefore,
  gather,
  percentile,
  question,
  readStream,
  requestLine,
  streamQuestion,
} from '../../support/inference.ts'
import type { RawEvent } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

const maxEndMs = 100

const ends = { 'a FIN': 'fin', 'a reset': 'reset' } as const

for (const [how, by] of Object.entries(ends)) {
  test(`S05 ${how} of the backend before the first token`, async t => {
    const backend = await startScriptedBackend(t, llamaServer({ chat: diesAfter(0, by) }))
    const gateway = await gatewayBefore(t, backend)
    const answer = await (await ask(t, gateway)).response()
    assert.equal(answer.status, 502)
    assert.equal(errorOf(answer)['code'], 'upstream_error')
    const line = await requestLine(gateway)
    assert.deepEqual([line['status'], line['outcome'], line['firstTokenMs']], [502, 'reset', undefined])
  })

  for (const tokens of [1, 50]) {
    test(`S05 ${how} of the backend after ${tokens} tokens`, async t => {
      const backend = await startScriptedBackend(t, llamaServer({ chat: stallsAfter(tokens) }))
      const gateway = await gatewayBefore(t, backend)
      const lags: number[] = []
      for (let n = 1; n <= 10; n += 1) {
        const client = await ask(t, gateway)
        const exchange = await backend.nextRequest('/v1/chat/completions')
        assert.equal((await client.head()).status, 200)
        const read: RawEvent[] = []
        let brokeAtMs = Number.NaN
        for await (const event of client.events()) {
          read.push(event)
          if (event.data?.includes(` word${tokens - 1}"`)) {
            brokeAtMs = performance.now()
            if (by === 'reset') exchange.reset()
            else exchange.hangUp()
          }
        }
        const seen = gather(read)
        lags.push(seen.endedAtMs - brokeAtMs)
        assert.equal(seen.error?.['code'], 'upstream_incomplete')
        assert.equal(seen.error?.['type'], 'server_error')
        assert.equal(seen.isDone, false)
        assert.equal(seen.text, Array.from({ length: tokens }, (_, index) => ` word${index}`).join(''))
        const line = await requestLine(gateway, n)
        assert.deepEqual([line['status'], line['outcome'], typeof line['firstTokenMs']], [200, 'reset', 'number'])
      }
      const slowest = Math.max(...lags)
      t.diagnostic(`ended after p50 ${percentile(lags, 0.5).toFixed(1)} ms, at most ${slowest.toFixed(1)} ms`)
      assert.ok(slowest <= maxEndMs, `${slowest} ms`)
    })
  }

  test(`S05 ${how} in mid-stream raises in the SDK`, async t => {
    const backend = await startScriptedBackend(t, llamaServer({ chat: diesAfter(3, by, { everyMs: 5 }) }))
    const gateway = await gatewayBefore(t, backend)
    const stream = await gateway.openai.chat.completions.create(streamQuestion)
    await assert.rejects(Array.fromAsync(stream), (error: unknown) => {
      assert.ok(error instanceof APIError)
      assert.equal(error.code, 'upstream_incomplete')
      return true
    })
  })
}

test('S05 the machine of the backend vanishes behind its last byte (as kill -9 through a proxy)', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ answer: { tokens: 500, everyMs: 5 } }))
  const proxy = await startFaultProxy(t, backend)
  const gateway = await gatewayBefore(t, proxy)
  const client = await ask(t, gateway)
  await client.head()
  const events = client.events()
  for (let n = 0; n < 5; n += 1) await events.next()
  proxy.resetPeer()
  const rest = await Array.fromAsync(events)
  assert.match(rest.at(-1)?.data ?? '', /^{"error":.*"upstream_incomplete"/)
})

for (const [kind, server] of Object.entries({ assembled: llamaServer, 'in one piece': vllmServer })) {
  for (const by of ['fin', 'reset'] as const) {
    test(`S05 an answer that is ${kind}: a ${by} of the backend before or in it is a 502`, async t => {
      const dies = inTurn(hangsUp(by), diesAfter(2, by))
      const backend = await startScriptedBackend(t, server({ chat: dies }))
      const gateway = await gatewayBefore(t, backend, { engine: server === vllmServer ? 'vllm' : 'llama-server' })
      for (let n = 1; n <= 2; n += 1) {
        const answer = await (await ask(t, gateway, question)).response()
        assert.equal(answer.status, 502)
        assert.equal(errorOf(answer)['code'], 'upstream_error')
        assert.equal((await requestLine(gateway, n))['outcome'], 'reset')
      }
    })
  }
}

const incomplete: Record<string, Behaviour> = {
  'a clean end after two tokens': endsEarly(2),
  'a full context (an error event, a clean end)': fillsContext(2),
  'another engine, a clean end after two tokens': endsEarly(2, { engine: 'vllm' }),
}

test('S12 what ends without its end is no success', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await gatewayBefore(t, backend)
  let asked = 0
  for (const [what, behaviour] of Object.entries(incomplete)) {
    const [code, outcome] = what.startsWith('a full')
      ? ['upstream_error', 'failed']
      : ['upstream_incomplete', 'incomplete']
    backend.use(llamaServer({ chat: behaviour }))
    const seen = await readStream(await ask(t, gateway))
    assert.equal(seen.text, ' word0 word1', what)
    assert.equal(seen.isDone, false)
    assert.equal(seen.error?.['code'], code)
    const whole = await (await ask(t, gateway, question)).response()
    assert.equal(whole.status, 502)
    assert.equal(errorOf(whole)['code'], 'upstream_error')
    asked += 2
    assert.equal((await requestLine(gateway, asked))['outcome'], outcome)
  }
})

const contentless: Record<string, Behaviour> = {
  'nothing but headers': endsEarly(0),
  'only [DONE]': async exchange => {
    await exchange.stream()
    await exchange.done()
    await exchange.end()
  },
  'only the role': async exchange => {
    await exchange.stream()
    await exchange.control({ choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] })
    await exchange.end()
  },
}

test('S12 a clean end before any content is a 502', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await gatewayBefore(t, backend)
  for (const [what, behaviour] of Object.entries(contentless)) {
    backend.use(llamaServer({ chat: behaviour }))
    for (const body of [streamQuestion, question]) {
      const answer = await (await ask(t, gateway, body)).response()
      assert.equal(answer.status, 502, what)
      assert.equal(errorOf(answer)['code'], 'upstream_error')
    }
  }
})

test('S12 a finish_reason without [DONE] is a whole answer, however it was cut', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: omitsDone(3) }))
  const proxy = await startFaultProxy(t, backend)
  const gateway = await gatewayBefore(t, proxy)
  for (const size of [65_536, 400, 50, 7]) {
    proxy.slicer(size)
    const seen = await readStream(await ask(t, gateway, { ...streamQuestion, stream_options: { include_usage: true } }))
    assert.equal(seen.error, undefined, `pieces of ${size}`)
    assert.equal(seen.text, ' word0 word1 word2')
    assert.ok(seen.isDone)
    assert.deepEqual(seen.events.at(-1)?.['choices'], [])
  }
  const answer = await gateway.openai.chat.completions.create(question)
  assert.equal(answer.choices[0]?.message.content, ' word0 word1 word2')
})

test('S12 with several choices a missing [DONE] is a missing end: one choice may not have come', async t => {
  const backend = await startScriptedBackend(t, vllmServer({ chat: omitsDone(3) }))
  const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
  const seen = await readStream(await ask(t, gateway, { ...streamQuestion, n: 2 }))
  assert.equal(seen.error?.['code'], 'upstream_incomplete')
  backend.use(vllmServer({ chat: chat({ tokens: 3 }) }))
  assert.ok((await readStream(await ask(t, gateway))).isDone)
})
