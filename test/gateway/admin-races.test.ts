import assert from 'node:assert/strict'
import { test } from 'node:test'
import postgres from 'postgres'
import { outcomeOf } from '../../src/store/change-outcome.ts'
import { adminOf, assertRefused, noBackend } from '../support/admin.ts'
import { onEnd } from '../support/cleanup.ts'
import { buildGateway } from '../support/gateway.ts'
import { createMigratedDatabase } from '../support/services.ts'

test('what is changed at the same time counts', async t => {
  const url = await createMigratedDatabase(t)
  const gateway = await buildGateway(t, { env: { ...noBackend, DATABASE_URL: url } })
  const admin = adminOf(gateway)
  const other = postgres(url, { max: 2, onnotice: () => {} })
  onEnd(t, () => other.end())
  await admin.get('POST', '/accounts', { name: 'acme' })

  /** Until a statement of the gateway waits for a lock. */
  const blocked = async () => {
    for (const endsAtMs = Date.now() + 10_000; Date.now() < endsAtMs; ) {
      const [row] = await other`
        select count(*)::int as n from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`
      if (row?.['n'] > 0) return
    }
    assert.fail('nothing waits')
  }

  await t.test('a suspension is obeyed at once, by whoever is remembered as well', async () => {
    const { key } = await admin.get<{ key: string }>('POST', '/keys', { account: 'acme', scopes: ['models'] })
    const status = async () => {
      const answer = await gateway.fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })
      await answer.arrayBuffer()
      return answer.status
    }
    assert.equal(await status(), 200)
    await admin.get('PATCH', '/accounts/acme', { status: 'suspended' })
    assert.equal(await status(), 401)
    await admin.get('PATCH', '/accounts/acme', { status: 'active' })
    assert.equal(await status(), 200)
  })

  await t.test('a key is not made for an account that is suspended meanwhile', async () => {
    const answer = await other.begin(async transaction => {
      await transaction`update accounts set status = 'suspended' where name = 'acme'`
      const asked = admin.ask('POST', '/keys', { account: 'acme' })
      await blocked()
      return [asked] as const
    })
    assertRefused(await answer[0], 409, 'account')
  })

  await t.test('a change that was in the way of another is made again, and no error', async () => {
    const outcome = await other.begin(async transaction => {
      // The other statement is to be the one that finds out.
      await transaction`set local deadlock_timeout = '1min'`
      await transaction`update accounts set metadata = metadata where name = 'acme'`
      const asked = outcomeOf(gateway.app.sql`
        with first as (update accounts set metadata = metadata where name = 'default' returning id)
        update accounts set metadata = metadata where name = 'acme' and exists (select from first) returning id`)
      await blocked()
      await transaction`update accounts set metadata = metadata where name = 'default'`
      return await asked
    })
    assert.equal(outcome, 'stale')
  })
})
