import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pausesAfter } from '../../support/behaviours.ts'
import { chat } from '../../support/completion.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { type StoredUsage, startLedgerWorld } from '../../support/ledger-world.ts'
import { adminKey, openStream } from './calls.ts'

const prices = [{ from: '2026-01-01', input: '10.00', output: '50.00' }]
const maxTokens = 50

for (const policy of ['free', 'reserved'] as const) {
  test(`P11 killed before a request was sent and before its end was kept, it is unknown once, and ${policy}`, async t => {
    const never = Promise.withResolvers<void>()
    const behaviour = llamaServer({ slots: 1, chat: pausesAfter(7, never.promise, { tokens: 7 }) })
    const world = await startLedgerWorld(t, {
      behaviour,
      prices,
      more: { ledger: { unknown: policy } },
      slots: 1,
    })
    const { url } = world.gateway
    // All tokens of the first have come, its end has not; the second waits for its slot.
    const first = await openStream(url, adminKey, { max_tokens: maxTokens })
    const reader = first.body?.getReader()
    let text = ''
    while (!text.includes('word6')) text += Buffer.from((await reader?.read())?.value ?? []).toString()
    const second = openStream(url, adminKey, { max_tokens: maxTokens }).catch(() => undefined)
    await eventually('both are kept', async () => (await world.metric('weir_ledger_open')) === 2)
    assert.equal(world.backend.exchangesTo('/v1/chat/completions').length, 1)
    await world.kill()
    await reader?.cancel().catch(() => undefined)
    await second

    await world.start()
    assert.equal(await world.metric('weir_ledger_unknown_total'), 2)
    await eventually('both are stored', async () => (await world.stored()).length === 2)
    const charged = (await world.stored()).map(({ status, output_tokens, cost_nano_usd }) => ({
      status,
      output_tokens,
      cost_nano_usd,
    }))
    const rows = await world.stored()
    assert.deepEqual(
      charged,
      rows.map(row => chargeOf(row, policy)),
    )
    assert.ok(rows.some(({ request_id }) => request_id === first.headers.get('x-request-id')))

    await world.kill()
    await world.start()
    assert.equal(await world.metric('weir_ledger_unknown_total'), 0, 'no second time')
    assert.equal((await world.stored()).length, 2)
  })
}

function chargeOf({ input_tokens }: StoredUsage, policy: 'free' | 'reserved') {
  if (policy === 'free') return { status: 'unknown', output_tokens: 0, cost_nano_usd: 0 }
  assert.ok(input_tokens > 0)
  // By the tokens that were held, at 10 and 50 USD a million.
  const cost = input_tokens * 10_000 + maxTokens * 50_000
  return { status: 'unknown', output_tokens: maxTokens, cost_nano_usd: cost }
}

test('P11 killed once the end of a request was kept, it is what it was, to the token', async t => {
  const behaviour = llamaServer({ chat: chat({ tokens: 7 }), dimensions: 4 })
  const world = await startLedgerWorld(t, { behaviour, prices, isAlone: true })
  await world.postgres.kill()
  await (await openStream(world.gateway.url, adminKey)).text()
  await eventually('its end is kept', async () => (await world.metric('weir_ledger_waiting')) === 1)
  await world.kill()
  await world.postgres.start()
  await world.start()
  await eventually('it is stored', async () => (await world.stored()).length === 1, { withinMs: 10_000 })
  const [event] = await world.stored()
  assert.deepEqual([event?.status, event?.input_tokens, event?.output_tokens], ['ok', 16, 7])
  assert.equal(event?.cost_nano_usd, 16 * 10_000 + 7 * 50_000)
  assert.equal(await world.metric('weir_ledger_unknown_total'), 0)
})
