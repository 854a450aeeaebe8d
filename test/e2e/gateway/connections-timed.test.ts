import assert from 'node:assert/strict'
import { test } from 'node:test'
import { delayed, hangsUp } from '../../support/behaviours.ts'
import { chat } from '../../support/completion.ts'
import { llamaServer, openaiServer, vllmServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import type { Behaviour } from '../../support/exchange.ts'
import {
  ask,
  chatChunk,
  errorOf,
  gatewayBefore,
  question,
  readStream,
  requestLine,
  streamQuestion,
} from '../../support/inference.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

const chatPath = '/v1/chat/completions'

test('connections of an engine that keeps them are used again', async t => {
  const backend = await startScriptedBackend(t, vllmServer())
  const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
  for (const body of [question, streamQuestion, question, streamQuestion, question]) {
    await (await ask(t, gateway, body)).response()
  }
  const exchanges = backend.exchangesTo(chatPath)
  assert.equal(new Set(exchanges.map(({ connection }) => connection)).size, 1)
  assert.deepEqual(
    exchanges.map(({ ordinal }) => ordinal),
    [1, 2, 3, 4, 5],
  )
})

test('a llama-server is met on a fresh connection each time, and told so', async t => {
  const backend = await startScriptedBackend(t, llamaServer())
  const gateway = await gatewayBefore(t, backend)
  for (let n = 0; n < 40; n += 1) {
    const answer = await (await ask(t, gateway, n % 2 === 0 ? streamQuestion : question)).response()
    assert.equal(answer.status, 200)
  }
  const exchanges = backend.exchangesTo(chatPath)
  assert.equal(new Set(exchanges.map(({ connection }) => connection)).size, 40)
  for (const { request } of exchanges) assert.equal(request.header('connection'), 'close')
  await eventually('none stays', () => backend.sockets.open === 0, { withinMs: 1000 })
})

for (const by of ['fin', 'reset'] as const) {
  for (const body of [question, streamQuestion]) {
    const kind = 'stream' in body ? 'stream' : 'one piece'
    test(`a ${by} on a connection that was used before costs the caller nothing (${kind})`, async t => {
      // It takes the second request and then goes, as a server does whose idle time is over.
      const goesWhenUsed: Behaviour = exchange =>
        (exchange.ordinal > 1 ? hangsUp(by) : chat({ engine: 'vllm' }))(exchange)
      const backend = await startScriptedBackend(t, vllmServer({ chat: goesWhenUsed }))
      const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
      for (let n = 0; n < 2; n += 1) {
        const answer = await (await ask(t, gateway, body)).response()
        assert.equal(answer.status, 200)
      }
      const exchanges = backend.exchangesTo(chatPath)
      assert.deepEqual(
        exchanges.map(({ ordinal }) => ordinal),
        [1, 2, 1],
      )
      assert.equal(exchanges[2]?.request.text, exchanges[1]?.request.text)
      const line = await requestLine(gateway, 2)
      assert.deepEqual([line['outcome'], line['status']], ['ok', 200])
    })

    test(`a ${by} on a fresh connection is not tried again, nor twice on a used one (${kind})`, async t => {
      const backend = await startScriptedBackend(t, vllmServer({ chat: hangsUp(by) }))
      const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
      const first = await (await ask(t, gateway, body)).response()
      assert.equal(first.status, 502)
      assert.equal(backend.exchangesTo(chatPath).length, 1)
      backend.use(vllmServer())
      await (await ask(t, gateway, body)).response()
      backend.use(vllmServer({ chat: hangsUp(by) }))
      const answer = await (await ask(t, gateway, body)).response()
      assert.equal(answer.status, 502)
      assert.equal(errorOf(answer)['code'], 'upstream_error')
      assert.deepEqual(
        backend.exchangesTo(chatPath).map(({ ordinal }) => ordinal),
        [1, 1, 2, 1],
      )
    })
  }

  test(`a ${by} after the first byte of a head is not tried again, on any connection`, async t => {
    const breaksInHead: Behaviour = async exchange => {
      await exchange.write('HTTP/1.1 200 OK\r\nContent-Ty')
      await exchange.wait(20)
      await hangsUp(by)(exchange)
    }
    const backend = await startScriptedBackend(t, vllmServer())
    const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
    await (await ask(t, gateway, question)).response()
    backend.use(vllmServer({ chat: breaksInHead }))
    const answer = await (await ask(t, gateway, question)).response()
    assert.equal(answer.status, 502)
    assert.equal(backend.exchangesTo(chatPath).length, 2)
  })
}

for (const [engine, server, timesSent] of [
  ['openai', openaiServer, 1],
  ['vllm', vllmServer, 2],
] as const) {
  test(`what a backend had worked on when its used connection went is sent ${timesSent} times (${engine})`, async t => {
    const backend = await startScriptedBackend(t, server())
    const gateway = await gatewayBefore(t, backend, { engine })
    await (await ask(t, gateway, question)).response()
    backend.use(server({ chat: delayed(400, hangsUp('reset')) }))
    const answer = await (await ask(t, gateway, question)).response()
    assert.equal(answer.status, 502)
    assert.equal(backend.exchangesTo(chatPath).length, 1 + timesSent)
  })
}

test('S14 what a backend sends ahead on an idle connection is no answer to the next request', async t => {
  const stolen = JSON.stringify({
    ...chatChunk('stolen', 'stop'),
    choices: [{ index: 0, message: { content: 'stolen' } }],
  })
  const staged = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${stolen.length}\r\n\r\n${stolen}`
  const honest = chat({ engine: 'vllm' })
  for (const afterMs of [0, 10]) {
    let sentAhead = 0
    const behaviour: Behaviour = async exchange => {
      await honest(exchange)
      await exchange.wait(afterMs)
      await exchange.write(staged)
      sentAhead += 1
    }
    const backend = await startScriptedBackend(t, vllmServer({ chat: behaviour }))
    const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
    for (let n = 0; n < 30; n += 1) {
      const reply = await gateway.openai.chat.completions.create(question)
      assert.equal(reply.choices[0]?.message.content, 'The capital of France is Paris.')
      // The answer that was sent ahead is there before the next question.
      if (afterMs > 0) await eventually('it is sent', () => sentAhead > n, { everyMs: 1 })
    }
  }
})

test('S14 an answer that is longer than it says spoils nothing', async t => {
  const body = JSON.stringify({
    choices: [{ index: 0, message: { role: 'assistant', content: 'mine' }, finish_reason: 'stop' }],
  })
  const backend = await startScriptedBackend(
    t,
    vllmServer({
      chat: async exchange => {
        await exchange.write(
          `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}${body}`,
        )
        exchange.finish()
      },
    }),
  )
  const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
  for (let n = 0; n < 10; n += 1) {
    const reply = await gateway.openai.chat.completions.create(question)
    assert.equal(reply.choices[0]?.message.content, 'mine')
  }
})

for (const body of [streamQuestion, question]) {
  test(`a backend that leaves the connection open behind [DONE] keeps nobody waiting (${'stream' in body ? 'stream' : 'assembled'})`, async t => {
    const leavesOpen: Behaviour = async exchange => {
      await exchange.stream()
      await exchange.event(chatChunk('The'))
      await exchange.control(chatChunk('', 'stop'))
      await exchange.done()
      while (await exchange.wait(100)) await exchange.comment('still here')
    }
    const backend = await startScriptedBackend(t, llamaServer({ chat: leavesOpen }))
    const gateway = await gatewayBefore(t, backend)
    const startedAtMs = performance.now()
    const client = await ask(t, gateway, body)
    if ('stream' in body) assert.ok((await readStream(client)).isDone)
    else assert.equal((await client.response()).status, 200)
    assert.ok(performance.now() - startedAtMs < 900)
    const closing = await backend.nextClose(chatPath, 2000)
    assert.equal(closing.by, 'client')
    const line = await requestLine(gateway)
    assert.deepEqual([line['outcome'], line['status']], ['ok', 200])
  })
}
