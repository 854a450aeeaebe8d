import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerNanoUsd, chatPath, ledgerOf, post, question, startCached } from '../support/cached.ts'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import type { Exchange } from '../support/exchange.ts'
import { gather } from '../support/inference.ts'
import type { Limited } from '../support/limited.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'

const said = 'The capital of France is Paris.'
const streamed = { ...question, stream: true, stream_options: { include_usage: true } }

/** A backend that begins its answer, and ends it when the test says so. */
function held(options: Parameters<typeof chat>[0] = {}) {
  const gates = new Map<Exchange, () => void>()
  const behaviour = llamaServer({
    chat: async exchange => {
      await new Promise<void>(resolve => gates.set(exchange, resolve))
      await chat(options)(exchange)
    },
  })
  const open = () => {
    for (const openOne of gates.values()) openOne()
  }
  return { behaviour, open }
}

async function ask(
  t: Parameters<typeof connectRaw>[0],
  { gateway }: Limited,
  key: string,
  body: object,
): Promise<RawClient> {
  const client = await connectRaw(t, gateway.url)
  client.request('POST', chatPath, { headers: { Authorization: `Bearer ${key}` }, body })
  return client
}

/** As many requests wait for an answer. */
async function untilRunning({ gateway }: Limited, count: number): Promise<void> {
  await eventually(`${count} to wait`, async () => {
    const exposed = await (await fetch(`${gateway.url}/metrics`)).text()
    const joined = Number(/weir_cache_requests_total\{model="tinychat",result="joined"\} (\d+)/.exec(exposed)?.[1] ?? 0)
    return joined >= count - 1
  })
}

test('C04: who asks the same at the same time, whole or as a stream, waits for one call, and one pays', async t => {
  const { behaviour, open } = held()
  const world = await startCached(t, { behaviour, cache: { priceShare: 0.5 } })
  const { key } = await world.caller()
  const bodies = Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? question : streamed))
  const clients: RawClient[] = []
  for (const body of bodies) clients.push(await ask(t, world, key, body))
  await world.backend.nextRequest(chatPath)
  await untilRunning(world, 10)
  open()
  const ids = new Set<unknown>()
  for (const [n, client] of clients.entries()) {
    const head = await client.head()
    assert.deepEqual([head.status, head.header('x-weir-cache')], [200, n === 0 ? 'miss' : 'hit'])
    if (n % 2 === 0) {
      const { id, choices, usage } = JSON.parse((await client.body()).toString())
      assert.deepEqual([choices[0].message.content, choices[0].finish_reason], [said, 'stop'])
      assert.equal(usage.completion_tokens, 7)
      ids.add(id)
    } else {
      const { text, isDone, events } = gather(await Array.fromAsync(client.events()))
      assert.deepEqual([text, isDone], [said, true])
      const { usage } = events.at(-1) as { usage: { completion_tokens: number; weir_cost: string } }
      assert.deepEqual([usage.completion_tokens, usage.weir_cost], [7, '0.000255'])
      assert.equal(new Set(events.map(({ id }) => id)).size, 1)
      ids.add(events[0]?.['id'])
    }
    client.destroy()
  }
  assert.equal(ids.size, 10)
  assert.equal(world.backend.exchangesTo(chatPath).length, 1)
  const ledger = await ledgerOf(world, 10)
  const payers = ledger.filter(({ outputTokens }) => outputTokens > 0)
  assert.deepEqual(
    payers.map(({ status, costNanoUsd, attempts }) => [status, costNanoUsd, attempts.length]),
    [['ok', answerNanoUsd, 1]],
  )
  const others = ledger.filter(event => !payers.includes(event))
  for (const { status, costNanoUsd, attempts } of others) {
    assert.deepEqual([status, costNanoUsd, attempts.length], ['cache_hit', answerNanoUsd / 2, 0])
  }
})

test('C04: the first one leaves and the others have their answer; the next one pays, and the answer is kept', async t => {
  for (const first of [question, streamed]) {
    const { behaviour, open } = held({ tokens: ['a', 'b', 'c'] })
    const world = await startCached(t, { behaviour })
    const { key } = await world.caller()
    const leader = await ask(t, world, key, first)
    await world.backend.nextRequest(chatPath)
    const [whole, stream] = [await ask(t, world, key, question), await ask(t, world, key, streamed)]
    await untilRunning(world, 3)
    leader.destroy()
    const [gone] = await ledgerOf(world, 1)
    assert.deepEqual(
      [gone?.status, gone?.outputTokens, gone?.costNanoUsd, gone?.attempts.length],
      ['client_cancel', 0, 0, 0],
    )
    open()
    const { choices } = JSON.parse((await whole.response()).text)
    assert.equal(choices[0].message.content, 'abc')
    await stream.head()
    assert.equal(gather(await Array.fromAsync(stream.events())).text, 'abc')
    whole.destroy()
    stream.destroy()
    assert.equal(world.backend.exchangesTo(chatPath).length, 1)
    const ledger = await ledgerOf(world, 3)
    assert.deepEqual(
      ledger.slice(1).map(({ status, outputTokens, backend }) => [status, outputTokens, backend]),
      [
        ['ok', 3, 'main'],
        ['cache_hit', 0, null],
      ],
    )
    assert.equal((await post(world.gateway, key)).cache, 'hit')
  }
})

test('when all have left, the backend is told', async t => {
  const { behaviour } = held()
  const world = await startCached(t, { behaviour })
  const { key } = await world.caller()
  const clients = [await ask(t, world, key, question), await ask(t, world, key, streamed)]
  await world.backend.nextRequest(chatPath)
  await untilRunning(world, 2)
  for (const client of clients) client.destroy()
  assert.equal((await world.backend.nextClose(chatPath)).by, 'client')
  const ledger = await ledgerOf(world, 2)
  assert.deepEqual(
    ledger.map(({ status }) => status),
    ['client_cancel', 'client_cancel'],
  )
})

test('who comes in the middle of an answer has it from the beginning, and a slow one holds up nobody', async t => {
  const middle = Promise.withResolvers<void>()
  const words = Array.from({ length: 200 }, (_, n) => `word ${n} ${'x'.repeat(5000)} `)
  const world = await startCached(t, {
    more: { server: { clientStall: '30s' } },
    behaviour: llamaServer({
      chat: async exchange => {
        const half = llamaServer({ chat: chat({ tokens: words }) })
        await middle.promise
        await half(exchange)
      },
    }),
  })
  const { key } = await world.caller()
  const slow = await ask(t, world, key, streamed)
  slow.pause()
  await world.backend.nextRequest(chatPath)
  const quick = await ask(t, world, key, streamed)
  await untilRunning(world, 2)
  middle.resolve()
  await quick.head()
  const { text, isDone } = gather(await Array.fromAsync(quick.events()))
  assert.deepEqual([text, isDone], [words.join(''), true])
  slow.resume()
  await slow.head()
  assert.equal(gather(await Array.fromAsync(slow.events())).text, words.join(''))
  assert.equal(world.backend.exchangesTo(chatPath).length, 1)
})

test('a failure is told all of them; where only the first one could wait no longer for a place, the others ask again', async t => {
  const { behaviour, open } = held({ breaksAfter: 0, breaksBy: 'reset' })
  const world = await startCached(t, { behaviour })
  const { key } = await world.caller()
  const clients = [
    await ask(t, world, key, question),
    await ask(t, world, key, streamed),
    await ask(t, world, key, question),
  ]
  await world.backend.nextRequest(chatPath)
  await untilRunning(world, 3)
  open()
  for (const client of clients) {
    const { status, text } = await client.response()
    assert.deepEqual([status, JSON.parse(text).error.code], [502, 'upstream_error'])
  }
  assert.equal(world.backend.exchangesTo(chatPath).length, 1)

  const next = held()
  const full = await startCached(t, { behaviour: next.behaviour, of: { slots: 1 } })
  const caller = await full.caller()
  const other = await ask(t, full, caller.key, { ...question, seed: 1 })
  await full.backend.nextRequest(chatPath)
  const hasty = await connectRaw(t, full.gateway.url)
  const headers = { Authorization: `Bearer ${caller.key}`, 'x-request-timeout-ms': '300' }
  hasty.request('POST', chatPath, { headers, body: question })
  await eventually('it to wait', async () => {
    const exposed = await (await fetch(`${full.gateway.url}/metrics`)).text()
    return exposed.includes('weir_cache_requests_total{model="tinychat",result="miss"} 2\n')
  })
  const patient = [await ask(t, full, caller.key, question), await ask(t, full, caller.key, streamed)]
  assert.equal((await hasty.response()).status, 504)
  next.open()
  assert.equal((await other.response()).status, 200)
  await full.backend.nextRequest(chatPath)
  next.open()
  assert.equal(JSON.parse((await patient[0]?.response())?.text ?? '').choices[0].message.content, said)
  await patient[1]?.head()
  assert.equal(gather(await Array.fromAsync(patient[1]?.events() ?? [])).text, said)
  assert.equal(full.backend.exchangesTo(chatPath).length, 2)
})

test('a follower whose own time is up is told so, and the others go on', async t => {
  const { behaviour, open } = held()
  const world = await startCached(t, { behaviour })
  const { key } = await world.caller()
  const first = await ask(t, world, key, question)
  await world.backend.nextRequest(chatPath)
  const hasty = await connectRaw(t, world.gateway.url)
  const headers = { Authorization: `Bearer ${key}`, 'x-request-timeout-ms': '100' }
  hasty.request('POST', chatPath, { headers, body: question })
  assert.equal((await hasty.response()).status, 504)
  open()
  assert.equal((await first.response()).status, 200)
})
