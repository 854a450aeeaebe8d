import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import { startHooked } from '../../support/webhook-world.ts'

test('two gateways on one database tell each threshold once', async t => {
  const { gateways, gateway, receiver, account, key, ask } = await startHooked(t, 2)
  const keys: string[] = []
  for (let n = 0; n < 4; n += 1) {
    await account(`account ${n}`, 'none', { spend_per_day: '0.05', tokens_per_month: 5000 })
    keys.push(await key(`account ${n}`))
  }
  const asked = keys.flatMap(one => Array.from({ length: 5 }, (_, n) => ask(one, gateways[n % 2])))
  const statuses = await Promise.all(asked)
  // Each gateway counts for itself here, so that none is refused.
  assert.deepEqual(new Set(statuses), new Set([200]))
  await receiver.whenReceived(4 * 2 * 3)
  await eventually('the outbox is empty', async () => {
    const rows = await gateway.app.sql`select 1 from webhook_deliveries where state = 'pending'`
    return rows.length === 0
  })
  const distinct = new Set(
    receiver.received.map(({ event }) => [event.account.name, event.limit, event.threshold_percent].join()),
  )
  assert.deepEqual([receiver.received.length, distinct.size], [24, 24])
})
