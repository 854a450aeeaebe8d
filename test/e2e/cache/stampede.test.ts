import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chatPath, ledgerOf, question, startCached } from '../../support/cached.ts'
import { chat } from '../../support/completion.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { connectRaw, type RawClient } from '../../support/raw-client.ts'

const count = 1000

test('C04: of 1,000 who ask the same at the same time one call reaches the backend, though its first caller leaves', async t => {
  const gate = Promise.withResolvers<void>()
  const world = await startCached(t, {
    behaviour: llamaServer({
      chat: async exchange => {
        await gate.promise
        await chat()(exchange)
      },
    }),
  })
  const { gateway, backend } = world
  const { key } = await world.caller()
  const clients: RawClient[] = []
  for (let n = 0; n < count; n++) clients.push(await connectRaw(t, gateway.url, { patienceMs: 30_000 }))
  for (const [n, client] of clients.entries()) {
    const body = n % 2 === 0 ? question : { ...question, stream: true }
    client.request('POST', chatPath, { headers: { Authorization: `Bearer ${key}` }, body })
    if (n === 0) await backend.nextRequest(chatPath)
  }
  await eventually(
    'all to wait',
    async () => {
      const exposed = await (await fetch(`${gateway.url}/metrics`)).text()
      return exposed.includes(`weir_cache_requests_total{model="tinychat",result="joined"} ${count - 1}\n`)
    },
    { withinMs: 30_000 },
  )
  const [leader, ...followers] = clients
  leader?.destroy()
  gate.resolve()
  const answers = await Promise.all(followers.map(client => client.response()))
  for (const { status, text } of answers) {
    assert.equal(status, 200)
    assert.ok(text.includes('Paris'))
  }
  for (const client of clients) client.destroy()
  assert.equal(backend.exchangesTo(chatPath).length, 1)
  const ledger = await ledgerOf(world, count)
  const statuses = Object.groupBy(ledger, ({ status }) => status)
  assert.deepEqual(Object.fromEntries(Object.entries(statuses).map(([status, events]) => [status, events.length])), {
    client_cancel: 1,
    ok: 1,
    cache_hit: count - 2,
  })
  assert.equal(
    ledger.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
    7,
  )
})
