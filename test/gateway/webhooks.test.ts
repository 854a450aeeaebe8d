import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf, assertRefused } from '../support/admin.ts'
import { eventually } from '../support/eventually.ts'
import { isGenuine, type Received } from '../support/webhook-receiver.ts'
import { startHooked, webhookSecret } from '../support/webhook-world.ts'

const told = (received: readonly Received[]) =>
  received
    .map(
      ({ event }) =>
        `${event.limit} ${event.key === null ? 'account' : 'key'} ${event.threshold_percent} of ${event.size}`,
    )
    .toSorted((a, b) => (a < b ? -1 : 1))

test('whoever comes near a quota or a spend limit is told of, once for each threshold', async t => {
  const { gateway, receiver, admin, account, key, ask, yamlWith, hooks } = await startHooked(t)
  const id = await account('acme', 'free')
  const acme = await key('acme', { tokens_per_month: 4000 })
  await account('quiet', 'none')
  const quiet = await key('quiet')

  assert.equal(await ask(acme), 200)
  const [first] = await receiver.whenReceived(1)
  assert.ok(first && isGenuine(webhookSecret, first.headers, first.body))
  const month = first.event.created_at.slice(0, 7)
  assert.deepEqual(first.event, {
    id: first.headers['weir-webhook-id'],
    type: 'limit.threshold',
    created_at: first.event.created_at,
    account: { id, name: 'acme' },
    key: null,
    limit: 'spend_per_month',
    period: month,
    threshold_percent: 50,
    used: '0.01',
    size: '0.02',
    unit: 'usd',
  })

  assert.equal(await ask(acme), 200)
  const publicId = acme.slice(8, 24)
  await receiver.whenReceived(4)
  const ofKey = receiver.received.find(({ event }) => event.key !== null)?.event
  assert.deepEqual([ofKey?.key, ofKey?.used, ofKey?.size, ofKey?.unit], [publicId, 2000, 4000, 'tokens'])
  const half = ['spend_per_month account 50 of 0.02', 'tokens_per_month key 50 of 4000']
  const all = ['spend_per_month account 100 of 0.02', ...half, 'spend_per_month account 80 of 0.02'].toSorted((a, b) =>
    a < b ? -1 : 1,
  )
  assert.deepEqual(told(receiver.received), all)

  // A refusal is no use, and who has no such limit is not told of.
  assert.equal(await ask(acme), 429)
  assert.equal(await ask(quiet), 200)
  // The limit is another one: its thresholds are told anew, also where nobody has asked for anything since.
  await admin.get('PATCH', `/accounts/${id}`, { limits: { spend_per_month: '0.025' } })
  gateway.writeYaml(yamlWith({ ...hooks, other: { ...hooks.ops, thresholds: [79] } }))
  await admin.get('POST', '/config/reload')
  await receiver.whenReceived(7)
  assert.deepEqual(
    told(receiver.received).filter(line => !all.includes(line)),
    [
      'spend_per_month account 50 of 0.025',
      'spend_per_month account 79 of 0.025',
      'spend_per_month account 80 of 0.025',
    ],
  )
  assert.ok(!/hidden|c0ffee/.test(JSON.stringify(gateway.logLines)))
})

test('deliveries are shown to administrators, and one that was given up is tried again', async t => {
  const { gateway, receiver, admin, account, key, ask } = await startHooked(t)
  receiver.answer = 410
  await account('acme', 'free', { spend_per_month: '0.01', spend_per_day: null })
  assert.equal(await ask(await key('acme')), 200)
  await receiver.whenReceived(3)
  type Delivery = { id: string; state: string; url: string; tries: number; event: { threshold_percent: number } }
  type Page = { data: Delivery[]; has_more: boolean; next_cursor: string }
  const list = (query: string) => admin.get<Page>('GET', `/webhooks/deliveries?${query}`)
  await eventually('all are given up', async () => (await list('state=dead')).data.length === 3)
  const page = await list('limit=2')
  const rest = await list(`limit=2&cursor=${page.next_cursor}`)
  const listed = [...page.data, ...rest.data]
  assert.deepEqual(
    [page.has_more, rest.has_more, new Set(listed.map(({ event }) => event.threshold_percent))],
    [true, false, new Set([50, 80, 100])],
  )
  const [one] = listed
  assert.ok(one)
  assert.deepEqual([one.url, one.tries, (await list('state=pending')).data], [`${receiver.url}/in`, 1, []])
  assert.ok(!/hidden|c0ffee/.test(JSON.stringify(listed)))

  receiver.answer = 200
  assert.equal((await admin.get<Delivery>('POST', `/webhooks/deliveries/${one.id}/retry`)).state, 'pending')
  await receiver.whenReceived(4)
  assert.equal(receiver.received[3]?.event.id, one.id)
  await eventually('it is delivered', async () => (await list('state=delivered')).data[0]?.id === one.id)
  assertRefused(await admin.ask('POST', `/webhooks/deliveries/${one.id}/retry`), 409)
  const unknown = await admin.ask('POST', '/webhooks/deliveries/nothing/retry')
  assertRefused(unknown, 404)
  const { data } = await admin.get<{ data: { action: string; actor: { kind: string }; target: object }[] }>(
    'GET',
    '/audit?target_kind=webhook_delivery',
  )
  assert.deepEqual(
    data.map(({ action, actor, target }) => [action, actor.kind, target]),
    [['webhook_delivery.retry', 'admin-key', { kind: 'webhook_delivery', id: one.id }]],
  )
  const metrics = await (await gateway.fetch(`${gateway.url}/metrics`)).text()
  assert.match(metrics, /^weir_webhook_deliveries_total\{outcome="dead"\} 3$/m)
  assert.match(metrics, /^weir_webhook_deliveries_total\{outcome="delivered"\} 1$/m)
  assert.match(metrics, /^weir_webhook_failed_looks_total 0$/m)
  const caller = adminOf(gateway, await key('acme'))
  assert.equal((await caller.ask('GET', '/webhooks/deliveries')).status, 403)
})
