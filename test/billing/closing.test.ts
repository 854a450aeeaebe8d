import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeBillingMonth } from '../../src/billing/closing.ts'
import { monthName, parseMonth } from '../../src/domain/billing-month.ts'
import { WeirError } from '../../src/errors.ts'
import { system } from '../../src/store/audit.ts'
import { closeMonth } from '../../src/store/billing-months.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { openTestDatabase } from '../support/databases.ts'
import { makeUsageEvent } from '../support/usage.ts'

const command = { kind: 'command' } as const
const month = '2026-03'
const atMs = Date.parse('2026-03-31T23:59:59Z')

test('a month is closed with what its replica has recorded, and not before that is stored', async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  await insertUsageEvents(sql, [makeUsageEvent({ atMs })], 5000)
  const behind = closeBillingMonth({ sql, flush: async () => false }, command, { month })
  await assert.rejects(behind, error => {
    assert.ok(error instanceof WeirError)
    assert.deepEqual([error.kind, error.retryAfterMs], ['ledgerUnavailable', 5000])
    return true
  })
  assert.deepEqual([...(await sql`select month from billing_months`)], [])
  const flush = async () => (await insertUsageEvents(sql, [makeUsageEvent({ atMs })], 5000)) === 1
  const closed = await closeBillingMonth({ sql, flush }, command, { month })
  assert.deepEqual([closed.invoices, closed.total], [1, '0.000002468'])
  // What is closed already waits for nobody.
  assert.deepEqual(await closeBillingMonth({ sql, flush: async () => false }, command, { month }), closed)
})

test('a replica whose clock is ahead closes no month that the database is still in', async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const realMs = Date.now()
  await insertUsageEvents(sql, [makeUsageEvent({ atMs: realMs })], 5000)
  const [thisMonth, monthMs] = [monthName(realMs), parseMonth(monthName(realMs))]
  // Two months ahead of all others.
  t.mock.timers.enable({ apis: ['Date'], now: realMs + 62 * 86_400_000 })
  const early = closeBillingMonth({ sql, flush: async () => true }, command, { month: thisMonth })
  await assert.rejects(early, error => {
    assert.ok(error instanceof WeirError)
    assert.deepEqual([error.kind, error.param], ['conflict', 'month'])
    assert.match(
      error.message,
      new RegExp(`^${thisMonth} is not over by the clock of the database, where it is ${thisMonth}-`),
    )
    return true
  })
  // Whoever asks for it without having looked at the clock.
  assert.equal(await closeMonth(sql, { monthMs, nowMs: Date.now() }, system), 'stale')
  assert.deepEqual([...(await sql`select month from billing_months`)], [])
})
