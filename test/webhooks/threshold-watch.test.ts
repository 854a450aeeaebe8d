import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Sql } from 'postgres'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { defaultAccount, insertAccount } from '../../src/store/accounts.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { Suspects } from '../../src/webhooks/suspects.ts'
import { Sweep } from '../../src/webhooks/sweep.ts'
import { ThresholdWatch } from '../../src/webhooks/threshold-watch.ts'
import { UsageMarks } from '../../src/webhooks/usage-marks.ts'
import { load } from '../config/load.ts'
import { onEnd } from '../support/cleanup.ts'
import { openTestDatabase } from '../support/databases.ts'
import { eventually } from '../support/eventually.ts'
import { makeUsageEvent } from '../support/usage.ts'

const dayMs = 86_400_000
const yaml = JSON.stringify({
  tiers: {
    low: { spendLimits: { perDay: '0.000001' } },
    high: { spendLimits: { perDay: '0.00001' } },
    none: {},
  },
  webhooks: { ops: { url: 'http://127.0.0.1:1', secret: { env: 'HOOK_SECRET' }, thresholds: [100] } },
  auth: {
    issuers: {
      corp: {
        issuer: 'https://id.example',
        audience: ['weir'],
        secret: { env: 'HOOK_SECRET' },
        claims: { tier: 'plan' },
      },
    },
  },
})

async function start(t: TestContext, { mayFail = false } = {}) {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const { config } = load(t, { yaml, env: { HOOK_SECRET: 'c0ffee5eed1e55-of-the-webhook-of-this-test' } })
  await sql`update accounts set tier = 'none'`
  const database = { isReachable: true, asked: 0 }
  const notices = { count: 0 }
  const looks = { configs: 0, failed: 0, warnings: [] as object[] }
  const watch = new ThresholdWatch({
    sql,
    isReachable: () => {
      database.asked += 1
      return database.isReachable
    },
    config: () => {
      looks.configs += 1
      return config
    },
    onNotice: () => {
      notices.count += 1
    },
    onFailedLook: () => {
      assert.ok(mayFail)
      looks.failed += 1
    },
    log: {
      warn: (details, message) => {
        assert.ok(mayFail, `${message} ${JSON.stringify(details)}`)
        looks.warnings.push(details)
      },
    },
    times: { paceMs: 1, sweepMs: dayMs, retryMs: 1 },
  })
  onEnd(t, () => watch.stop())
  return { sql, watch, database, notices, looks }
}

const told = async (sql: Sql) =>
  (
    await sql<{ text: string }[]>`
    select a.name || ' ' || d.limit_name || ' ' || d.period || ' ' || d.size as text
    from webhook_deliveries d join accounts a on a.id = d.account_id order by 1`
  ).map(({ text }) => text)

const dayOf = (atMs: number) => new Date(atMs).toISOString().slice(0, 10)
const spent = (changes: Partial<UsageEvent>) =>
  makeUsageEvent({ atMs: Date.now(), costNanoUsd: 1000, tier: 'low', ...changes })

test('what was marked while the database was away is looked at when it is back; late usage counts for its own day', async t => {
  const { sql, watch, database, notices } = await start(t)
  const lateMs = Date.now() - 3 * dayMs
  const events = [spent({ atMs: lateMs, keyId: null }), spent({ tier: 'high' })]
  await insertUsageEvents(sql, events, 10_000)
  database.isReachable = false
  watch.mark(events)
  await eventually('it has tried', () => database.asked > 2)
  assert.deepEqual(await told(sql), [])
  database.isReachable = true
  await eventually('it is told', async () => (await told(sql)).length > 0)
  // Of its own day, by the tier that it came by; today's is a tenth of the other tier's.
  assert.deepEqual(await told(sql), [`default spend_per_day ${dayOf(lateMs)} 1000`])
  // Once more is nothing new.
  watch.mark(events)
  const asked = database.asked
  await eventually('it has looked again', () => database.asked > asked)
  await watch.stop()
  assert.equal(notices.count, 1)
})

test('a look at everybody finds accounts by their own tier and by those of their tokens, today and yesterday', async t => {
  const { sql, watch } = await start(t)
  const id = '00000000-0000-7000-8000-000000000001'
  await insertAccount(sql, { id, name: 'acme', tier: 'high' })
  const yesterdayMs = Date.now() - dayMs
  await insertUsageEvents(
    sql,
    [
      spent({ accountId: id, atMs: yesterdayMs, costNanoUsd: 10_000, tier: 'high' }),
      // A token of an issuer that says a tier of its own.
      spent({ accountId: defaultAccount.id, keyId: null }),
      spent({ accountId: id, atMs: Date.now() - 2 * dayMs, costNanoUsd: 10_000 }),
    ],
    10_000,
  )
  watch.sweep()
  await eventually('both are told', async () => (await told(sql)).length >= 2)
  await watch.stop()
  assert.deepEqual(await told(sql), [
    `acme spend_per_day ${dayOf(yesterdayMs)} 10000`,
    `default spend_per_day ${dayOf(Date.now())} 1000`,
  ])
})

/** Accounts that have reached their limit, by name; nothing can be told of the one at `bad`, as `state` says. */
async function manyAtLimit(sql: Sql, count: number, { bad, state }: { bad: number; state: string }) {
  const names = Array.from({ length: count }, (_, n) => `account ${String(n).padStart(3, '0')}`)
  const events: UsageEvent[] = []
  for (const [n, name] of names.entries()) {
    const id = `00000000-0000-7000-8000-${String(n + 1).padStart(12, '0')}`
    await insertAccount(sql, { id, name, tier: 'low' })
    events.push(spent({ accountId: id, keyId: null }))
  }
  await insertUsageEvents(sql, events, 10_000)
  await sql.unsafe(`
    create function refuse() returns trigger language plpgsql as
      $$ begin raise exception 'not this one' using errcode = '${state}'; end $$;
    create trigger refuse before insert on webhook_deliveries for each row
      when (new.account_id = '${events[bad]?.accountId}') execute function refuse()`)
  const today = dayOf(Date.now())
  const good = names.filter((_, n) => n !== bad)
  return { events, notices: good.map(name => `${name} spend_per_day ${today} 1000`) }
}

test('one that cannot be looked at is soon alone: the others are told, each looked at once more at most', async t => {
  const { sql, watch, looks } = await start(t, { mayFail: true })
  // As where a timeout of the server's ends it.
  const { events, notices } = await manyAtLimit(sql, 200, { bad: 199, state: '57014' })
  watch.mark(events)
  await eventually('all others are told', async () => (await told(sql)).length === 199)
  assert.deepEqual(await told(sql), notices)
  // The first hundred, and of the others the halves without it: of 50, 25, 13, 6, 3 and 2.
  const done = () => looks.configs - 1 - looks.failed
  await eventually('it is tried alone', () => looks.failed > 10 && done() === 7)
  // Too slow once is nothing, again is; and once said is enough for a while.
  assert.deepEqual(
    looks.warnings.map(details => ({ ...details, err: undefined })),
    [{ err: undefined, accountId: null, together: 50 }],
  )
  await sql`drop trigger refuse on webhook_deliveries`
  await eventually('it is told as well', async () => (await told(sql)).length === 200)
})

test('one at whom the database always goes away, and comes back, is the same', async t => {
  const { sql, watch, looks } = await start(t, { mayFail: true })
  const { events, notices } = await manyAtLimit(sql, 150, { bad: 0, state: '57P03' })
  watch.mark(events)
  await eventually('the others are told', async () => (await told(sql)).length === 149)
  assert.deepEqual(await told(sql), notices)
  assert.equal(looks.warnings.length, 1)
})

test('a look at everybody goes on behind those who cannot be looked at', async t => {
  const { sql, watch, looks } = await start(t, { mayFail: true })
  const { notices } = await manyAtLimit(sql, 250, { bad: 0, state: 'P0001' })
  watch.sweep()
  await eventually('those of later pages are told', async () => (await told(sql)).length === 249)
  await watch.stop()
  assert.deepEqual(await told(sql), notices)
  assert.equal(looks.warnings.length, 1)
})

test('a look at everybody that fails goes on where it was, and begins again where it is asked for meanwhile', async t => {
  const { sql } = await start(t)
  const { events } = await manyAtLimit(sql, 150, { bad: 0, state: '57014' })
  const { config } = load(t, { yaml, env: { HOOK_SECRET: 'c0ffee5eed1e55-of-the-webhook-of-this-test' } })
  const sweep = new Sweep()
  const next = async () => [...new Set((await sweep.nextPage(sql, config)).map(({ accountId }) => accountId))]
  const [first, second] = [events.slice(0, 99), events.slice(99)].map(part => part.map(({ accountId }) => accountId))
  sweep.ask()
  assert.deepEqual(await next(), [defaultAccount.id, ...(first ?? [])])
  await sql`alter table accounts rename to accounts_away`
  await assert.rejects(next)
  await sql`alter table accounts_away rename to accounts`
  assert.deepEqual(await next(), second)
  sweep.ask()
  assert.deepEqual([await next(), await next()], [[], []])
  assert.ok(sweep.isDue)
  assert.equal((await next()).length, 100)
  for (let page = 0; page < 3; page += 1) await next()
  assert.ok(!sweep.isDue)
})

test('suspects have room for so many, and each alone waits longer from time to time', () => {
  const suspects = new Suspects(3, 10)
  const spender = (accountId: string) => ({ accountId, keyId: null, tier: null, dayMs: 0 })
  const [a, b, c] = ['a', 'b', 'c'].map(spender)
  assert.ok(a && b && c)
  assert.ok(suspects.add({ spenders: [a, b, c], failures: 1 }, 0))
  assert.ok(!suspects.add({ spenders: [spender('d')], failures: 1 }, 0))
  assert.deepEqual(suspects.take(0), { spenders: [a, b], failures: 1, dueAtMs: 0 })
  assert.deepEqual([suspects.has(a), suspects.has(c), suspects.size], [false, true, 1])
  assert.deepEqual(suspects.take(0)?.spenders, [c])
  for (const [failures, dueAtMs] of [
    [1, 20],
    [2, 40],
    [6, 640],
    [60, 640],
  ] as const) {
    assert.ok(suspects.add({ spenders: [a], failures }, 0))
    assert.deepEqual([suspects.dueAtMs, suspects.take(dueAtMs - 1)], [dueAtMs, undefined])
    assert.deepEqual(suspects.take(dueAtMs)?.spenders, [a])
  }
  assert.equal(suspects.dueAtMs, null)
})

test('marks are bounded, each counts once, and what costs nothing is none', () => {
  const marks = new UsageMarks(3)
  const event = spent({ atMs: Date.parse('2026-03-14T23:59:59.999Z') })
  assert.ok(marks.markEvents([event, event, spent({ inputTokens: 0, outputTokens: 0, costNanoUsd: 0 })]))
  const [account, key, ...more] = marks.take()
  const day = Date.parse('2026-03-14')
  assert.deepEqual(account, { accountId: event.accountId, keyId: null, tier: 'low', dayMs: day })
  assert.deepEqual([key, more], [{ accountId: event.accountId, keyId: event.keyId, tier: null, dayMs: day }, []])
  assert.ok(marks.isEmpty)
  assert.ok(!marks.markEvents([event, spent({ accountId: 'other' })]))
  assert.equal(marks.take().length, 3)
})
