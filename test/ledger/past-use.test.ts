import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import { LedgerPast } from '../../src/ledger/past-use.ts'
import { defaultAccount } from '../../src/store/accounts.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { limitSet, quota } from '../support/limit-sets.ts'
import { openPlanned } from '../support/plans.ts'
import { makeUsageEvent } from '../support/usage.ts'

const others = 20_000
const few = 2000

test('what is counted already is taken off what was used, and searched for where it can be', async t => {
  const { sql, rowsRead } = await openPlanned(t)
  const nowMs = Date.now()
  const [called, calledLongAgo] = [nowMs - 1000, nowMs - 2000].map(
    atMs => `req_${makeTimeOrderedId(atMs).replaceAll('-', '')}`,
  ) as [string, string]
  const calledBefore = `req_${crypto.randomUUID().replaceAll('-', '')}`
  const events = [called, calledLongAgo, calledBefore, 'req_another'].map((requestId, index) =>
    makeUsageEvent({ requestId, atMs: nowMs - 10, inputTokens: 10 ** index, outputTokens: 0, cachedInputTokens: 0 }),
  )
  await insertUsageEvents(sql, events, 5000)
  // The last 20 hours, but for the last one, of the same account.
  const atOf = `to_timestamp(${nowMs / 1000} - 3600 - n * 3.4)`
  // They are there to be searched among, and in no sum.
  await sql.unsafe(`
    alter table usage_events disable trigger usage_events_spending;
    select weir_make_usage_partition(date_trunc('month', ${atOf}, 'UTC')) from generate_series(1, ${others}, 1000) as n;
    insert into usage_events (at, id, account_id, input_tokens, cached_input_tokens, output_tokens, cost_nano_usd, backend_us,
                              queue_ms, total_ms, is_stream, is_estimate, endpoint, status, request_id, tier, model)
    select timestamptz 'epoch' + ms * interval '1 millisecond',
           (left(hex, 8) || '-' || right(hex, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           '${defaultAccount.id}', 1, 0, 1, 1, 1, 0, 1, false, false, 'chat', 'ok', 'other ' || n, 'free', 'small'
    from generate_series(1, ${others}) as n, cast(floor(extract(epoch from ${atOf}) * 1000) as bigint) as ms,
         lpad(to_hex(ms), 12, '0') as hex;
    alter table usage_events enable trigger usage_events_spending`)
  await sql`analyze usage_events`
  const past = new LedgerPast({ sql, flush: async () => true, isReachable: () => true })
  const set = limitSet([quota()], { accountId: defaultAccount.id })
  const usedBefore = async (...except: readonly string[]) =>
    await past.usedBefore({ set, atUs: nowMs * 1000, except: () => except.map(id => `${id}-counted`) })
  const read = await rowsRead(async () => assert.deepEqual(await usedBefore(called, calledLongAgo), [1100]))
  assert.ok(read('usage_events') < few, `${read('usage_events')} events`)
  // As replicas before this version have called theirs.
  assert.deepEqual(await usedBefore(called, calledBefore), [1010])
})
