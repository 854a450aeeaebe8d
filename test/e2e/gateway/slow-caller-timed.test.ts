import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { chat } from '../../support/completion.ts'
import { llamaServer, vllmServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import type { Behaviour, Exchange } from '../../support/exchange.ts'
import type { Gateway } from '../../support/gateway.ts'
import {
  ask,
  chatChunk,
  gatewayBefore,
  percentile,
  question,
  readStream,
  requestLine,
  type StreamSeen,
  sendQuestion,
  streamQuestion,
} from '../../support/inference.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { type ScriptedBackend, startScriptedBackend } from '../../support/scripted-backend.ts'

/** So many events of 64 KiB, and the end; `Connection: close` and a FIN behind it where `closes`. */
function pours(
  events: number,
  { closes = true, done = true, onTaken = (_: Exchange): unknown => null } = {},
): Behaviour {
  const text = 'x'.repeat(65_000)
  return async (exchange: Exchange) => {
    await exchange.stream([
      ['Content-Type', 'text/event-stream'],
      ...(closes ? ([['Connection', 'close']] as const) : []),
    ])
    for (let n = 0; n < events; n += 1) {
      if (await exchange.event(chatChunk(text))) onTaken(exchange)
    }
    await exchange.control(chatChunk('', 'stop'))
    if (done) await exchange.done()
    await exchange.end({ close: closes })
  }
}

interface Pour {
  readonly behaviour: Behaviour
  /** Fulfilled when all has been sent to this request, and the FIN behind it. */
  hasPoured(exchange: Exchange): Promise<unknown>
}

function watchedPour(events: number): Pour {
  const pour = pours(events)
  const poured = new Set<Exchange>()
  return {
    behaviour: async exchange => {
      await pour(exchange)
      poured.add(exchange)
    },
    hasPoured: exchange =>
      eventually('the backend has said all', () => poured.has(exchange), { withinMs: 10_000, everyMs: 2 }),
  }
}

function assertPoured(body: Buffer, events: number): void {
  assert.equal(body.toString('latin1').split('x'.repeat(65_000)).length - 1, events)
  assert.ok(body.subarray(-16).equals(Buffer.from('\n\ndata: [DONE]\n\n')))
}

test('S06 the backend says Connection: close and goes while the caller does not read', async t => {
  // More than the kernel holds between gateway and caller: the rest waits before the gateway, with the FIN behind it.
  const events = 120
  const pour = watchedPour(events)
  const backend = await startScriptedBackend(t, llamaServer({ chat: pour.behaviour }))
  const gateway = await gatewayBefore(t, backend)
  for (let round = 0; round < 12; round += 1) {
    const client = await ask(t, gateway)
    await client.head()
    client.pause()
    await pour.hasPoured(await backend.nextRequest('/v1/chat/completions'))
    client.resume()
    assertPoured(await client.body(), events)
  }
})

test('S06 the backend goes while its answer waits for an earlier one on the same connection, 200 times', async t => {
  const events = 3
  const pour = watchedPour(events)
  const firsts = new Map<Exchange, () => void>()
  const backend = await startScriptedBackend(
    t,
    llamaServer({
      chat: async exchange => {
        const isFirst = !exchange.request.text.includes('"second"')
        if (isFirst) await new Promise<void>(resolve => firsts.set(exchange, resolve))
        await (isFirst ? chat() : pour.behaviour)(exchange)
      },
    }),
  )
  const gateway = await gatewayBefore(t, backend)
  for (let n = 0; n < 200; n += 1) {
    const client = await connectRaw(t, gateway.url)
    sendQuestion(client)
    const first = await backend.nextRequest('/v1/chat/completions')
    sendQuestion(client, { ...streamQuestion, messages: [{ role: 'user', content: 'second' }] })
    await pour.hasPoured(await backend.nextRequest('/v1/chat/completions'))
    firsts.get(first)?.()
    assert.ok((await readStream(client)).isDone)
    assert.equal((await client.head()).status, 200)
    assertPoured(await client.body(), events)
    client.destroy()
  }
})

test('S07 a caller who stops reading is cut off after the stall time, and the backend with it', async t => {
  const takenMs = new Map<Exchange, number>()
  const noted = pours(770, { onTaken: exchange => takenMs.set(exchange, performance.now()) })
  const backend = await startScriptedBackend(t, llamaServer({ chat: noted }))
  const gateway = await gatewayBefore(t, backend, { server: { clientStall: '1s' } })
  const callers = 8
  const lags = await Promise.all(
    Array.from({ length: callers }, async () => {
      const client = await ask(t, gateway)
      await client.head()
      client.pause()
      const pausedAtMs = performance.now()
      const closing = await backend.nextClose('/v1/chat/completions')
      assert.equal(closing.by, 'client')
      assert.ok(closing.exchange.bytesSent < 20_000_000, 'the backend felt the slow reader')
      // Until all buffers on the way are full nobody can feel that the caller has stopped.
      const stalledMs = closing.atMs - (takenMs.get(closing.exchange) ?? Number.NaN)
      return { pausedMs: closing.atMs - pausedAtMs, stalledMs }
    }),
  )
  const stalled = lags.map(({ stalledMs }) => stalledMs)
  t.diagnostic(`cut after p50 ${percentile(stalled, 0.5).toFixed(0)} ms`)
  for (const { pausedMs, stalledMs } of lags) {
    assert.ok(pausedMs >= 950 && stalledMs <= 2000, `${stalledMs} ms after all was full, ${pausedMs} ms in all`)
  }
  const line = await requestLine(gateway, callers)
  assert.deepEqual([line['status'], line['outcome']], [200, 'client-stall'])
  const other = await readOne(t, gateway, backend)
  assert.ok(other.isDone)
})

test('S07 an answer that is whole lets go of the backend, also where its caller is not there yet to read it', async t => {
  const words = Array.from({ length: 500 }, (_, n) => ` word${n}`)
  const frames = words.map(word => `data: ${JSON.stringify(chatChunk(word))}\n\n`)
  const inTwoParts: Behaviour = async exchange => {
    await exchange.stream()
    // Only with the second part there is more than the gateway takes without a reader, and that part is the last.
    await exchange.chunk(frames.slice(0, 250).join(''))
    await exchange.wait(50)
    const end = `data: ${JSON.stringify(chatChunk('', 'stop'))}\n\ndata: [DONE]\n\n`
    await exchange.chunk(frames.slice(250).join('') + end)
    await exchange.end()
  }
  let calls = 0
  const backend = await startScriptedBackend(
    t,
    vllmServer({ chat: exchange => (++calls === 1 ? exchange.stall() : inTwoParts(exchange)) }),
  )
  const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
  const client = await connectRaw(t, gateway.url)
  sendQuestion(client)
  const first = await backend.nextRequest('/v1/chat/completions')
  // Its answer has to wait for the first one's, on the same connection: for the gateway this is a caller who does not read.
  sendQuestion(client)
  const second = await backend.nextRequest('/v1/chat/completions')
  await eventually('the connection is free again', async () => {
    const answer = await gateway.openai.chat.completions.create(streamQuestion)
    await Array.fromAsync(answer)
    const { connection } = await backend.nextRequest('/v1/chat/completions')
    return connection === second.connection
  })
  first.reset()
  assert.equal((await client.response()).status, 502)
  const seen = await readStream(client)
  assert.equal(seen.text, words.join(''))
  assert.ok(seen.isDone)
})

for (const closes of [true, false]) {
  test(`S07 an answer that ended while its caller was slow holds nothing of the backend (closes: ${closes})`, async t => {
    const events = 90
    const backend = await startScriptedBackend(t, vllmServer({ chat: pours(events, { closes }) }))
    const gateway = await gatewayBefore(t, backend, { engine: 'vllm' })
    const client = await ask(t, gateway)
    await client.head()
    client.pause()
    const exchange = await backend.nextRequest('/v1/chat/completions')
    await eventually('the backend has said all', () => exchange.bytesSent > events * 65_000)
    client.resume()
    assertPoured(await client.body(), events)
    await requestLine(gateway)
    if (closes) await eventually('the connection is gone', () => backend.sockets.open === 0, { withinMs: 1000 })
    else assert.equal(await secondConnection(t, gateway, backend), exchange.connection, 'and it can be used again')
  })
}

async function readOne(t: TestContext, gateway: Gateway, backend: ScriptedBackend): Promise<StreamSeen> {
  backend.use(llamaServer())
  return await readStream(await ask(t, gateway))
}

async function secondConnection(t: TestContext, gateway: Gateway, backend: ScriptedBackend): Promise<number> {
  backend.use(vllmServer())
  await (await ask(t, gateway, question)).response()
  return (await backend.nextRequest('/v1/chat/completions')).connection
}
