import { type TestContext, test } from 'node:test'
import type { Sql } from 'postgres'
import { makeApiKey } from '../../src/domain/api-key.ts'
import { defaultAccount } from '../../src/store/accounts.ts'
import type { AuditFilter, Author } from '../../src/store/audit.ts'
import type { NewKeyRow } from '../../src/store/keys.ts'
import { databaseKinds, openTestDatabase } from './databases.ts'
import { peppersOf } from './peppers.ts'

/** What any store has to do, whichever database is under it; each check starts with the default account alone. */
export function conform(what: string, checks: Readonly<Record<string, (sql: Sql) => Promise<void>>>): void {
  for (const kind of databaseKinds) {
    test(`${what} on ${kind}`, async (t: TestContext) => {
      const sql = await openTestDatabase(t, kind)
      for (const [name, check] of Object.entries(checks)) {
        await t.test(name, async () => {
          await empty(sql)
          await check(sql)
        })
      }
    })
  }
}

/** All but the audit log, which nobody can empty. */
export async function empty(sql: Sql): Promise<void> {
  await sql`delete from api_keys`
  await sql`delete from account_identities`
  await sql`delete from experiment_states`
  await sql`delete from usage_denials`
  await sql`delete from webhook_deliveries`
  await sql`
    with prices as (delete from price_versions), events as (delete from usage_events),
         hours as (delete from usage_hourly), all_hours as (delete from usage_hourly_totals),
         days as (delete from usage_daily), all_days as (delete from usage_daily_totals),
         months as (delete from usage_monthly), all_months as (delete from usage_monthly_totals)
    delete from usage_series`
  await sql`with spending as (delete from usage_spending) delete from usage_token_tiers`
  await sql`delete from accounts where id <> ${defaultAccount.id}`
  await sql`update accounts set status = 'active', limits = '{}'`
}

export const everyEntry: AuditFilter = {
  targetKind: null,
  targetId: null,
  actorKind: null,
  actorId: null,
  action: null,
  since: null,
  until: null,
}

export const author: Author = { kind: 'key', id: '0'.repeat(16), account: defaultAccount.id, requestId: 'req_1' }

const peppers = peppersOf('a pepper that is long enough for tests')
let lastCreatedMs = Date.parse('2030-01-01')

/** A key of the default account that is newer than all before, or as `changes` say. */
export function newKeyRow(changes: Partial<NewKeyRow> = {}): NewKeyRow {
  const { key: _, ...identity } = makeApiKey(peppers)
  const row = { accountId: defaultAccount.id, name: 'a key', scopes: null, models: null, expiresAt: null }
  return { ...identity, ...row, createdAt: new Date(++lastCreatedMs), ...changes }
}
