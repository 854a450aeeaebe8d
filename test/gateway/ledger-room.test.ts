import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, settledAt, startLimited } from '../support/limited.ts'

/** No disk has as much. */
const everything = '1024GiB'
const tiers = {
  free: { priority: 1, limits: { requestsPerDay: 5 } },
  enterprise: { priority: 9, limits: { requestsPerDay: 5 } },
}
const unavailable = { status: 503, code: 'ledger_unavailable', type: 'service_unavailable_error', retryAfter: '5' }

test('P06 with little room the lowest tier is refused, before anything is sent or counted', async t => {
  const world = await startLimited(t, { tiers, more: { ledger: { highFree: everything, fullFree: '0B' } } })
  const [free, enterprise] = [await world.caller({ tier: 'free' }), await world.caller({ tier: 'enterprise' })]
  const refused = await free.chat()
  assert.deepEqual(pick(refused), unavailable)
  assert.match(refused.error?.message ?? '', /cannot be kept at the moment/)
  assert.equal(world.backend.exchangesTo('/v1/chat/completions').length, 0)
  await settledAt(free, 'requests_per_day', 0)
  assert.equal((await enterprise.chat()).status, 200)
  const text = await (await world.gateway.fetch(`${world.gateway.url}/metrics`)).text()
  assert.match(text, /^weir_ledger_level 1$/m)
  assert.match(text, /^weir_ledger_refusals_total\{tier="free"\} 1$/m)
})

test('P06 with none all are refused', async t => {
  const world = await startLimited(t, { tiers, more: { ledger: { highFree: everything, fullFree: everything } } })
  const enterprise = await world.caller({ tier: 'enterprise' })
  assert.deepEqual(pick(await enterprise.chat()), unavailable)
  assert.equal(world.backend.exchangesTo('/v1/chat/completions').length, 0)
  await settledAt(enterprise, 'requests_per_day', 0)
})

test('P06 where all tiers are alike none is refused before the others', async t => {
  const alike = { free: { priority: 5 }, premium: { priority: 5 }, enterprise: { priority: 5 } }
  const world = await startLimited(t, { tiers: alike, more: { ledger: { highFree: everything, fullFree: '0B' } } })
  assert.equal((await (await world.caller({ tier: 'free' })).chat()).status, 200)
})

test("P06 the preset key, whose tier nobody configured, is the operator's own and not refused first", async t => {
  const world = await startLimited(t, {
    tiers: { free: { priority: 0 }, paid: { priority: 9 } },
    more: { ledger: { highFree: everything, fullFree: '0B' } },
  })
  assert.equal((await (await world.caller({ tier: 'free' })).chat()).error?.code, 'ledger_unavailable')
  const answer = await world.gateway.openai.chat.completions
    .create({ model: 'tinychat', messages: [{ role: 'user', content: 'hi' }] })
    .then(
      () => null,
      error => error.code,
    )
  assert.notEqual(answer, 'ledger_unavailable')
})

const pick = ({ status, error, headers }: Answer) => ({
  status,
  code: error?.code,
  type: error?.type,
  retryAfter: headers.get('retry-after'),
})
