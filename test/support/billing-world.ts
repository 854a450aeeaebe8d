/** Accounts, prices, and what was used of them: what is billed by the admin API. */
import type { TestContext } from 'node:test'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import type { InvoiceView } from '../../src/schemas/admin/billing.ts'
import { adminOf, noBackend } from './admin.ts'
import { eventually } from './eventually.ts'
import { adminKey, buildGateway } from './gateway.ts'
import { makeUsageEvent } from './usage.ts'
import { type ListOf, untilStored } from './usage-reports.ts'

/** The name of an account and of a model, for spreadsheets and browsers. */
export const hostile = `=cmd|"<script>alert('1')</script>&\`x`
const prices = [
  { from: '2026-01-01', input: '0.15', cachedInput: '0.075', output: '0.6' },
  { from: '2026-03-15', input: '0.2', output: '0.8' },
]
export const march = Date.parse('2026-03-02')
export const april = Date.parse('2026-04-02')

export async function buildBilling(t: TestContext) {
  const target = { targets: [{ backend: 'main' }] }
  const models = {
    small: { ...target, prices },
    timed: { ...target, prices: [{ from: '2026-01-01', perSecond: '0.01' }] },
  }
  const yaml = JSON.stringify({ backends: { main: { url: noBackend.WEIR_BACKEND_URL } }, models })
  const gateway = await buildGateway(t, { yaml })
  const admin = adminOf(gateway)
  await eventually('prices are recorded', async () => (await gateway.app.sql`select from price_versions`).length === 3)
  const { models: known } = gateway.app.catalog.current
  /** The version of one of the prices of a model, as events have it. */
  const priced = (model: string, index: number) => ({
    model,
    priceVersion: known.find(({ id }) => id === model)?.prices[index]?.version ?? null,
  })
  const { id: acme } = await admin.get<{ id: string }>('POST', '/accounts', { name: 'acme' })
  const { id: evil } = await admin.get<{ id: string }>('POST', '/accounts', { name: hostile })
  let recorded = 0
  const use = async (...events: readonly Partial<UsageEvent>[]) => {
    for (const event of events) gateway.app.ledger.record(makeUsageEvent({ accountId: acme, ...event }))
    recorded += events.length
    await untilStored(gateway, admin, recorded)
  }
  const as = async (accept: string, query: string) =>
    await gateway.fetch(`${gateway.url}/admin/billing/invoices?${query}`, {
      headers: { authorization: `Bearer ${adminKey}`, accept },
    })
  const invoices = async (query: string) => await admin.get<ListOf<InvoiceView>>('GET', `/billing/invoices?${query}`)
  return { gateway, admin, acme, evil, priced, use, as, invoices }
}
