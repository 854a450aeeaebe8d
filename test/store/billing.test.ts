import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultAccount } from '../../src/store/accounts.ts'
import { system } from '../../src/store/audit.ts'
import { insertCredit, listCredits } from '../../src/store/billing-credits.ts'
import { closeMonth, findClosedMonth, getNextMonth, listMonths } from '../../src/store/billing-months.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { emptyBilling, makeCredit, readLines, sumOf } from '../support/billing.ts'
import { author, conform } from '../support/conformance.ts'
import { openTestDatabase } from '../support/databases.ts'
import { makeUsageEvent } from '../support/usage.ts'

const march = Date.parse('2026-03-01')
const april = Date.parse('2026-04-01')
const may = Date.parse('2026-05-01')
const nowMs = Date.parse('2026-05-20')
const closing = (monthMs: number) => ({ monthMs, nowMs })

conform('billing', {
  'months are closed one after the other, from the first that has usage, each once': async sql => {
    await emptyBilling(sql)
    assert.equal(await getNextMonth(sql, nowMs), may)
    await insertUsageEvents(sql, [makeUsageEvent({ atMs: march }), makeUsageEvent({ atMs: nowMs })], 5000)
    assert.equal(await getNextMonth(sql, nowMs), march)
    for (const monthMs of [Date.parse('2026-02-01'), april]) {
      assert.equal(await closeMonth(sql, closing(monthMs), author), 'stale')
      assert.equal(await findClosedMonth(sql, monthMs), null)
    }
    assert.equal(await closeMonth(sql, closing(march), author), 'done')
    assert.equal(await closeMonth(sql, closing(march), author), 'stale')
    const closed = { monthMs: march, closedAt: new Date(nowMs), invoices: 1, lines: 1, totalNanoUsd: 1234n }
    assert.deepEqual(await findClosedMonth(sql, march), closed)
    // In a month of which there is nothing.
    assert.equal(await getNextMonth(sql, nowMs), april)
    assert.equal(await closeMonth(sql, closing(april), author), 'done')
    assert.equal((await findClosedMonth(sql, april))?.invoices, 0)
    const entries = await sql`select action, target_id, actor_id from audit_log where target_kind = 'billing_month'`
    assert.deepEqual(
      entries.map(entry => ({ ...entry })),
      ['2026-03', '2026-04'].map(id => ({ action: 'billing_month.close', target_id: id, actor_id: author.id })),
    )
  },

  'months are listed newest first: those that are closed, by whom, and those that are not': async sql => {
    await emptyBilling(sql)
    // The audit log has what earlier tests have closed.
    const nowMs = Date.parse('2026-05-21')
    const all = { limit: 10, beforeMs: null }
    assert.deepEqual(await listMonths(sql, nowMs, all), [{ monthMs: may, closed: null }])
    const another = crypto.randomUUID()
    await insertUsageEvents(
      sql,
      [makeUsageEvent({ atMs: march }), makeUsageEvent({ atMs: march, accountId: another })],
      5000,
    )
    const open = [may, april, march].map(monthMs => ({ monthMs, closed: null }))
    assert.deepEqual(await listMonths(sql, nowMs, all), open)
    await closeMonth(sql, { monthMs: march, nowMs }, author)
    const { requestId: _, ...by } = author
    await closeMonth(sql, { monthMs: april, nowMs }, system)
    const { requestId: __, ...itself } = system
    const listed = [
      { monthMs: may, closed: null },
      { monthMs: april, closed: { at: new Date(nowMs), by: itself, invoices: 0 } },
      { monthMs: march, closed: { at: new Date(nowMs), by, invoices: 2 } },
    ]
    assert.deepEqual(await listMonths(sql, nowMs, all), listed)
    assert.deepEqual(await listMonths(sql, nowMs, { limit: 1, beforeMs: may }), [listed[1]])
    assert.deepEqual(await listMonths(sql, nowMs, { limit: 5, beforeMs: april }), [listed[2]])
    assert.deepEqual(await listMonths(sql, nowMs, { limit: 5, beforeMs: march }), [])
    // From its first moment on, and no sooner.
    const firstOfMay = await listMonths(sql, may, all)
    assert.deepEqual(firstOfMay[0], { monthMs: may, closed: null })
    const lastOfApril = await listMonths(sql, may - 1, all)
    assert.equal(lastOfApril[0]?.monthMs, april)
    await emptyBilling(sql)
  },

  'what was closed or credited cannot be changed, taken away or added to': async sql => {
    await emptyBilling(sql)
    await insertUsageEvents(sql, [makeUsageEvent({ atMs: march })], 5000)
    await insertCredit(sql, makeCredit(defaultAccount.id), author)
    await closeMonth(sql, closing(march), author)
    const lines = await readLines(sql, closing(march))
    assert.equal(sumOf(lines.map(({ line }) => line)), 1234n - 1_500_000_000n)
    const never = /never changes/
    for (const table of ['billing_months', 'billed_usage', 'billing_credits', 'invoices', 'invoice_lines']) {
      await assert.rejects(sql`delete from ${sql(table)}`, never, table)
      await assert.rejects(sql`truncate ${sql(table)} cascade`, never, table)
    }
    await assert.rejects(sql`update invoice_lines set amount_nano_usd = 0`, never)
    await assert.rejects(sql`update invoices set account_name = 'another'`, never)
    await assert.rejects(sql`update billing_months set closed_at = now()`, never)
    await assert.rejects(sql`update billed_usage set requests = 2`, never)
    await assert.rejects(sql`update billing_credits set amount_nano_usd = 1`, never)
    const complete = /nothing is added/
    await assert.rejects(
      sql`insert into invoice_lines select (jsonb_populate_record(l, '{"model": "another"}')).* from invoice_lines l where requests > 0`,
      complete,
    )
    const account = crypto.randomUUID()
    await assert.rejects(sql`insert into invoices values (${new Date(march)}, ${account}, 2, 'another')`, complete)
    await assert.rejects(sql`insert into billed_usage values (${new Date(march)}, ${new Date(april)}, 1)`, complete)
    // Nor can a month be put between two others.
    await assert.rejects(sql`insert into billing_months values (${new Date(may)}, null, now())`, /follows/)
    await assert.rejects(sql`insert into billing_months values (${new Date(may)}, ${new Date(march)}, now())`, /check/)
    assert.deepEqual(await readLines(sql, closing(march)), lines)
  },

  'a credit is on one invoice, and says which': async sql => {
    await emptyBilling(sql)
    await insertUsageEvents(sql, [makeUsageEvent({ atMs: march })], 5000)
    const first = makeCredit(defaultAccount.id, { monthMs: march })
    await insertCredit(sql, first, author)
    const page = { limit: 10, before: null }
    const invoices = async () => (await listCredits(sql, defaultAccount.id, page)).map(({ invoice }) => invoice)
    assert.deepEqual(await invoices(), [null])
    await closeMonth(sql, closing(march), author)
    await insertCredit(sql, makeCredit(defaultAccount.id), author)
    await closeMonth(sql, closing(april), author)
    assert.deepEqual(await invoices(), [
      { monthMs: april, sequence: 1 },
      { monthMs: march, sequence: 1 },
    ])
    assert.deepEqual(await listCredits(sql, crypto.randomUUID(), page), [])
    await emptyBilling(sql)
  },
})

test('of many who close at once, while events and credits come, one does, and nothing is billed twice or never', async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  let events = 0
  const insert = async (atMs: number) => {
    events += 20
    await insertUsageEvents(
      sql,
      Array.from({ length: 20 }, (_, index) => makeUsageEvent({ atMs: atMs + index, model: `m${index % 3}` })),
      5000,
    )
  }
  await insert(march)
  let credits = 0
  for (const [round, monthMs] of [march, april, may].entries()) {
    const coming = Array.from({ length: 12 }, async (_, index) => {
      await insert([march, april, may][index % 3] ?? may)
      if (index % 4 !== 0) return
      credits += 1
      await insertCredit(sql, makeCredit(defaultAccount.id, { amountNanoUsd: 1 }), author)
    })
    const closers = Array.from({ length: 8 }, () => closeMonth(sql, closing(monthMs), author))
    // Also those who think that another month is next.
    const others = [march, april, may].filter(ms => ms < monthMs).map(ms => closeMonth(sql, closing(ms), author))
    const [outcomes, strangers] = await Promise.all([Promise.all(closers), Promise.all(others), ...coming])
    assert.deepEqual(outcomes.toSorted(), ['done', ...Array.from({ length: 7 }, () => 'stale')], `round ${round}`)
    assert.ok(strangers.every(outcome => outcome === 'stale'))
  }
  const june = Date.parse('2026-06-01')
  const all = await Promise.all([march, april, may, june].map(monthMs => readLines(sql, { monthMs, nowMs: june })))
  const lines = all.flat().map(({ line }) => line)
  const requests = lines.reduce((sum, line) => sum + (line.kind === 'usage' ? line.use.requests : 0n), 0n)
  assert.equal(requests, BigInt(events))
  assert.equal(lines.filter(({ kind }) => kind === 'credit').length, credits)
  assert.equal(sumOf(lines), 1234n * BigInt(events) - BigInt(credits))
  const [audited] = await sql`select count(*)::int as closings from audit_log where action = 'billing_month.close'`
  assert.equal(audited?.['closings'], 3)
})
