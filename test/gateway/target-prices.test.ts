import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InvoiceView } from '../../src/schemas/admin/billing.ts'
import { adminOf } from '../support/admin.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { buildGateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'
import { type ListOf, type Row, untilStored } from '../support/usage-reports.ts'

const messages = [{ role: 'user' as const, content: 'Hi' }]
const price = (output: string) => [{ from: '2026-01-01', output }]

test('what a target with a price of its own answers costs that, and anything else what the model does', async t => {
  const backend = await startScriptedBackend(t, llamaServer())
  const at = { url: backend.url, engine: 'llama-server' }
  const gateway = await buildGateway(t, {
    yaml: JSON.stringify({
      backends: { bought: at, rented: at },
      models: {
        small: {
          targets: [{ backend: 'bought' }, { backend: 'rented', model: 'small-q4', prices: price('300') }],
          prices: price('100'),
        },
      },
    }),
  })
  const admin = adminOf(gateway)
  const askWithout = async (drained: string) => {
    await admin.get('PATCH', `/backends/${drained}`, { drained: true })
    const { response } = await gateway.openai.chat.completions.create({ model: 'small', messages }).withResponse()
    await admin.get('PATCH', `/backends/${drained}`, { drained: false })
    return response.headers.get('x-weir-cost')
  }
  // 7 tokens each.
  assert.deepEqual([await askWithout('rented'), await askWithout('bought')], ['0.0007', '0.0021'])
  await untilStored(gateway, admin, 2)

  const [model] = gateway.app.catalog.current.models
  const versions = [model?.prices[0]?.version, model?.targets[1]?.prices?.[0]?.version]
  assert.notEqual(versions[0], versions[1])
  const { data: events } = await admin.get<ListOf<Row>>('GET', '/usage/events?limit=10')
  assert.deepEqual(
    events.map(event => [event['backend'], event['target'], event['cost'], event['price_version']]),
    [
      ['rented', 'small-q4', '0.0021', versions[1]],
      ['bought', 'small', '0.0007', versions[0]],
    ],
  )
  const recorded = async () =>
    Array.from(
      await gateway.app.sql<Row[]>`select version, model, target from price_versions order by target nulls first`,
    )
  await eventually('both are recorded', async () => (await recorded()).length === 2)
  assert.deepEqual(await recorded(), [
    { version: versions[0], model: 'small', target: null },
    { version: versions[1], model: 'small', target: 'small-q4' },
  ])
  const month = new Date().toISOString().slice(0, 7)
  const { data: invoices } = await admin.get<ListOf<InvoiceView>>('GET', `/billing/invoices?month=${month}`)
  const lines = invoices.flatMap(invoice => invoice.lines ?? [])
  assert.deepEqual(
    new Set(lines.map(line => [line.price_version, line.output_price, line.amount].join(' '))),
    new Set([`${versions[0]} 100 0.0007`, `${versions[1]} 300 0.0021`]),
  )
})
