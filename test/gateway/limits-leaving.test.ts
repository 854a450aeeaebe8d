import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { settledAt, startLimited, storeKinds } from '../support/limited.ts'

/** So large that the gateway gives way to others while it reads it. */
const longPrompt = 'ab '.repeat(100_000)

/** Sends a whole request and leaves. */
async function leaveAfter(port: number, key: string, body: string): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const head = [
    'POST /v1/chat/completions HTTP/1.1',
    'Host: weir',
    `Authorization: Bearer ${key}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  await new Promise(resolve => socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, resolve))
  socket.destroy()
}

for (const store of storeKinds) {
  test(`nothing stays held of who leaves while a large body is read (limits in ${store})`, async t => {
    const { gateway, backend, caller } = await startLimited(t, {
      store,
      tiers: { free: { limits: { requestsInFlight: 100 }, quotas: { tokensPerMonth: 500_000_000 } } },
    })
    const { key, chat, ...rest } = await caller()
    await chat()
    const body = JSON.stringify({ model: 'tinychat', messages: [{ role: 'user', content: longPrompt }] })
    await Promise.all(Array.from({ length: 20 }, () => leaveAfter(gateway.port, key, body)))
    // Who comes behind them finds nothing taken.
    await settledAt({ key, chat, ...rest }, 'requests_in_flight', 0)
    assert.equal((await chat()).status, 200)
    await settledAt({ key, chat, ...rest }, 'requests_in_flight', 0)
    const { tokens_per_month: tokens } = await rest.limits()
    const ofTwo = 2 * 23
    assert.equal(
      tokens?.used,
      ofTwo,
      `${tokens?.used} used; ${backend.exchangesTo('/v1/chat/completions').length} came to the backend`,
    )
  })
}
