import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { adminOf } from '../support/admin.ts'
import { chatPath, ledgerOf, post, question, startCached } from '../support/cached.ts'
import { chat } from '../support/completion.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { gather } from '../support/inference.ts'
import type { Limited } from '../support/limited.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'

const words = Array.from({ length: 12 }, (_, n) => `word${n} `)
const slowly = llamaServer({ chat: chat({ tokens: words, everyMs: 60 }) })
const streamed = { ...question, stream: true }

interface Asking {
  readonly body: object
  readonly timeoutMs?: number
}

async function ask(t: TestContext, { gateway }: Limited, key: string, { body, timeoutMs }: Asking): Promise<RawClient> {
  const client = await connectRaw(t, gateway.url)
  const hurry = timeoutMs === undefined ? {} : { 'x-request-timeout-ms': String(timeoutMs) }
  client.request('POST', chatPath, { headers: { Authorization: `Bearer ${key}`, ...hurry }, body })
  return client
}

async function textOf(client: RawClient): Promise<string> {
  const head = await client.head()
  assert.equal(head.status, 200)
  if (head.header('content-type')?.startsWith('application/json')) {
    return JSON.parse((await client.body()).toString()).choices[0].message.content
  }
  return gather(await Array.fromAsync(client.events())).text
}

async function untilJoined({ gateway }: Limited, count: number): Promise<void> {
  await eventually(`${count} to have joined`, async () => {
    const exposed = await (await gateway.fetch(`${gateway.url}/metrics`)).text()
    return exposed.includes(`weir_cache_requests_total{model="tinychat",result="joined"} ${count}\n`)
  })
}

test('C04: when the time of the first one is up, or would be had it not left, the others have their whole answer', async t => {
  const world = await startCached(t, { behaviour: slowly })
  const { key } = await world.caller()
  const cases = [
    { form: streamed, leaves: false, told: 'partial' },
    { form: question, leaves: false, told: 'error' },
    { form: streamed, leaves: true, told: 'client_cancel' },
    { form: question, leaves: true, told: 'client_cancel' },
  ] as const
  for (const [seed, { form, leaves, told }] of cases.entries()) {
    const leader = await ask(t, world, key, { body: { ...form, seed }, timeoutMs: 400 })
    await world.backend.nextRequest(chatPath)
    const others: RawClient[] = []
    for (const body of [streamed, question]) others.push(await ask(t, world, key, { body: { ...body, seed } }))
    await untilJoined(world, 2 * (seed + 1))
    if (leaves) leader.destroy()
    else if (form === question) assert.equal((await leader.response()).status, 504)
    for (const other of others) assert.equal(await textOf(other), words.join(''))
    for (const client of [leader, ...others]) client.destroy()
    assert.equal(world.backend.exchangesTo(chatPath).length, seed + 1)
    const ledger = (await ledgerOf(world, 3 * (seed + 1))).slice(3 * seed)
    assert.deepEqual(new Set(ledger.map(({ status }) => status)), new Set([told, 'cache_hit', 'ok']))
    // What the backend has generated, once.
    assert.equal(
      ledger.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
      words.length,
    )
  }
})

test('whoever is left alone and has no more time is told so, and pays nothing for it', async t => {
  const world = await startCached(t, { behaviour: llamaServer({ chat: exchange => exchange.stall() }) })
  const { key } = await world.caller()
  const leader = await ask(t, world, key, { body: question })
  await world.backend.nextRequest(chatPath)
  const hasty = await ask(t, world, key, { body: question, timeoutMs: 300 })
  await untilJoined(world, 1)
  leader.destroy()
  assert.equal((await hasty.response()).status, 504)
  assert.equal((await world.backend.nextClose(chatPath)).by, 'client')
  const ledger = await ledgerOf(world, 2)
  assert.deepEqual(
    ledger.map(({ status, error, inputTokens, costNanoUsd }) => [status, error, inputTokens, costNanoUsd]),
    [
      ['client_cancel', 'client-gone', 0, 0],
      ['error', 'timeout', 0, 0],
    ],
  )
})

test('who may not use the fallback does not get its answer from somebody who may; who may is told which it was', async t => {
  const gate = Promise.withResolvers<void>()
  const world = await startCached(t, {
    behaviour: llamaServer({
      chat: async exchange => {
        const isFallback = Object(exchange.request.json).model !== 'tinychat'
        if (!isFallback) await gate.promise
        await (isFallback ? chat()(exchange) : exchange.json(503, { error: { message: 'down' } }))
      },
    }),
    model: { fallback: 'other' },
    models: { other: { endpoints: ['chat'], targets: [{ backend: 'main', model: 'another' }] } },
    more: { routing: { maxAttempts: 2 } },
  })
  const { key, account } = await world.caller()
  const narrow = { account, name: 'narrow', models: ['tinychat'] }
  const made = await adminOf(world.gateway).get<{ key: string }>('POST', '/keys', narrow)
  const wide = [post(world.gateway, key)]
  await world.backend.nextRequest(chatPath)
  const refused = post(world.gateway, made.key)
  await world.backend.nextRequest(chatPath)
  wide.push(post(world.gateway, key))
  await untilJoined(world, 1)
  gate.resolve()
  for (const { status, headers } of await Promise.all(wide)) {
    assert.deepEqual([status, headers.get('x-weir-fallback')], [200, 'other'])
  }
  assert.equal((await refused).status, 503)
  const ledger = await ledgerOf(world, 3)
  assert.deepEqual(
    new Set(ledger.map(({ status, answeredModel }) => `${status} ${answeredModel}`)),
    new Set(['cache_hit other', 'error null', 'ok other']),
  )
})
