import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CreditView } from '../../src/schemas/admin/billing.ts'
import { buildBilling, march } from '../support/billing-world.ts'
import type { ListOf } from '../support/usage-reports.ts'

test('an account that is not there any more is billed by its id: listed, printed and given credit', async t => {
  const { admin, priced, use, as, invoices } = await buildBilling(t)
  const gone = crypto.randomUUID()
  await use({ atMs: march, accountId: gone, ...priced('small', 0), costNanoUsd: 24_001 })
  const { data: all } = await invoices('month=2026-03')
  const { data } = await invoices(`month=2026-03&account=${gone}`)
  assert.deepEqual(data, all)
  assert.deepEqual([data[0]?.account, data[0]?.account_name, data[0]?.total], [gone, null, '0.000024001'])
  const printed = await as('text/html', `month=2026-03&account=${gone}`)
  assert.equal(printed.status, 200)
  assert.match(await printed.text(), /without a name/)

  const given = { account: gone, amount_usd: '0.000024', reason: 'An outage' }
  const credit = await admin.get<CreditView>('POST', '/billing/credits', given)
  assert.equal(credit.account, gone)
  const credits = await admin.get<ListOf<CreditView>>('GET', `/billing/credits?account=${gone}`)
  assert.deepEqual(
    credits.data.map(({ id }) => id),
    [credit.id],
  )
  const { data: credited } = await invoices(`month=2026-03&account=${gone}`)
  assert.deepEqual([credited[0]?.total, credited[0]?.line_count], ['0.000000001', 2])
})
