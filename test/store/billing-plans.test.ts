import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sql } from 'postgres'
import { defaultAccount } from '../../src/store/accounts.ts'
import { findCreditByRequest, insertCredit, listCredits } from '../../src/store/billing-credits.ts'
import { closeMonth } from '../../src/store/billing-months.ts'
import { listInvoiceLines } from '../../src/store/invoice-lines.ts'
import { noCredit } from '../../src/store/open-lines.ts'
import { makeCredit, readLines } from '../support/billing.ts'
import { author } from '../support/conformance.ts'
import { openPlanned } from '../support/plans.ts'

const march = Date.parse('2026-03-01')
const april = Date.parse('2026-04-01')
const accounts = 5000
const models = 4
/** What a statement may read that is about a few of them. */
const few = 2000

/** A month that was closed with many invoices, of accounts that are not there any more. */
async function makeClosed(sql: Sql): Promise<void> {
  await sql.unsafe(`
    insert into billing_months values ('2026-03-01Z', null, now());
    insert into invoices
    select '2026-03-01Z', md5(n::text)::uuid, n, 'account ' || n from generate_series(1, ${accounts}) as n;
    insert into invoice_lines
    select '2026-03-01Z', md5(n::text)::uuid, '00000000-0000-0000-0000-000000000000', '2026-03-01Z', 'model ' || m, '',
           1, 0, 10, 0, 5, 1000, n, null, null
    from generate_series(1, ${accounts}) as n, generate_series(1, ${models}) as m;
    insert into billed_usage values ('2026-03-01Z', '2026-03-01Z', ${accounts * models})`)
  await sql`analyze`
}

/** The usage of a month that is open, of so many accounts. */
async function makeUsage(sql: Sql, month: string, count = accounts): Promise<void> {
  await sql.unsafe(`
    insert into usage_series
    select md5(n || ' ' || m)::uuid, md5(n::text)::uuid, '', 'free', 'model ' || m, '', '', '', '', 'chat', 'ok', ''
    from generate_series(1, ${count}) as n, generate_series(1, ${models}) as m
    on conflict do nothing;
    insert into usage_monthly
    select '${month}', md5(n || ' ' || m)::uuid, 1, 0, 10, 0, 5, 0, n, 1000, 0, 0, 0, 0
    from generate_series(1, ${count}) as n, generate_series(1, ${models}) as m;
    insert into usage_monthly_totals
    select '${month}', md5('all')::uuid, sum(requests), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from usage_monthly
    where period = '${month}'`)
  await sql`analyze`
}

const middle = (monthMs: number) => ({
  ...{ accountId: `8${'0'.repeat(7)}-0000-0000-0000-${'0'.repeat(12)}`, creditId: noCredit },
  ...{ monthMs, model: 'model 2', priceVersion: '' },
})

test('credits are looked for among the lines of credits', async t => {
  const { sql, rowsRead } = await openPlanned(t)
  await makeClosed(sql)
  const origin = { createdBy: 'admin-key', idempotencyKey: 'once', requestDigest: Buffer.alloc(32) }
  for (let n = 0; n < 20; n++) await insertCredit(sql, makeCredit(defaultAccount.id), author)
  await insertCredit(sql, { ...makeCredit(defaultAccount.id), origin }, author)
  await sql`analyze`
  const page = { limit: 100, before: null }
  const listed = await rowsRead(async () => assert.equal((await listCredits(sql, null, page)).length, 21))
  assert.ok(listed('invoice_lines') < few, `listing: ${listed('invoice_lines')} lines`)
  const found = await rowsRead(async () => assert.ok(await findCreditByRequest(sql, 'admin-key', 'once')))
  assert.ok(found('invoice_lines') < few, `look-up: ${found('invoice_lines')} lines`)
  const question = { monthMs: april, nowMs: april, accountId: null }
  const draft = await rowsRead(async () => {
    const rows = await listInvoiceLines(sql, question, { limit: 100, after: null })
    assert.deepEqual([rows.length, rows[0]?.head.lineCount], [21, 21])
  })
  assert.ok(draft('invoice_lines') < few, `draft: ${draft('invoice_lines')} lines`)
})

test('a page of a closed month reads the lines that are on it, and those of its accounts', async t => {
  const { sql, rowsRead } = await openPlanned(t)
  await makeClosed(sql)
  const question = { monthMs: march, nowMs: april, accountId: null }
  for (const after of [null, middle(march)]) {
    const read = await rowsRead(async () => {
      const rows = await listInvoiceLines(sql, question, { limit: 102, after })
      assert.equal(rows.length, 102)
      assert.ok(rows.every(({ head }) => head.lineCount === models && head.unpricedRequests === 4n))
    })
    assert.ok(read('invoice_lines') < few, `${read('invoice_lines')} lines`)
    assert.ok(read('invoices') < few, `${read('invoices')} invoices`)
  }
})

test('a page of a draft reads what its accounts have used', async t => {
  const { sql, rowsRead } = await openPlanned(t)
  await makeUsage(sql, '2026-04-01Z')
  const question = { monthMs: april, nowMs: april, accountId: null }
  for (const after of [null, middle(april)]) {
    const read = await rowsRead(async () => {
      const rows = await listInvoiceLines(sql, question, { limit: 102, after })
      assert.equal(rows.length, 102)
      assert.ok(rows.every(({ head }) => head.lineCount === models && head.unpricedRequests === 4n))
    })
    // A part of them is counted first.
    assert.ok(read('usage_monthly') < 2 * few, `${read('usage_monthly')} sums`)
    assert.ok(read('usage_series') < few, `${read('usage_series')} series`)
  }
})

test('page by page a draft is the same as at once, with what came late and what is given back', async t => {
  const { sql } = await openPlanned(t)
  const [many, few] = [300, 100]
  await makeUsage(sql, '2026-03-01Z', few)
  assert.equal(await closeMonth(sql, { monthMs: march, nowMs: april }, author), 'done')
  await makeUsage(sql, '2026-04-01Z', many)
  // Some of March came late, and some accounts have credits; a part of those have nothing else.
  await sql.unsafe(`
    update usage_monthly set requests = 3, cost_nano_usd = 5000
    where period = '2026-03-01Z' and series in (select md5(n || ' 1')::uuid from generate_series(1, ${few}, 3) as n);
    update usage_monthly_totals set requests = requests + 1 where period = '2026-03-01Z';
    insert into billing_credits
    select gen_random_uuid(), md5(n::text)::uuid, n, 'An outage', null, now(), 'admin-key', null, '\\x00'
    from generate_series(1, ${2 * many}, 5) as n, generate_series(1, 2)`)
  const question = { monthMs: april, nowMs: april }
  const whole = await readLines(sql, question, 100_000)
  const late = Math.ceil(few / 3)
  assert.equal(whole.length, many * models + late + ((2 * many) / 5) * 2)
  for (const limit of [7, 40]) assert.deepEqual(await readLines(sql, question, limit), whole)
  assert.deepEqual(await readLines(sql, { monthMs: Date.parse('2026-05-01'), nowMs: april }), [])
})
