/** A past of the ledger, made in the database itself: by way of the program, millions of events take too long. */
import type { Sql } from 'postgres'
import {
  seriesColumns,
  seriesId,
  seriesOfEvent,
  seriesOfTotal,
  sumColumns,
  sumsOfEvents,
  sumsOfSums,
} from '../../src/store/usage-columns.ts'
import { makeUsagePartitions } from '../../src/store/usage-partitions.ts'

/** 90 days, of which the first begins a month. */
export const history = { fromMs: Date.parse('2025-10-01T00:00:00Z'), untilMs: Date.parse('2025-12-30T00:00:00Z') }
const dayMs = 86_400_000
export const historyKeys = 300
export const accountOf = (key: number): string => `01900000-0000-7000-8000-${String(key % 100).padStart(12, '0')}`
export const keyName = (key: number): string => `key${String(key).padStart(13, '0')}`

/**
 * Fills the ledger with `count` events of 300 keys of 100 accounts, of which few have most of the traffic. A key has one or two
 * of five models, each on two backends; one event in twenty is not `ok`, one in a hundred thousand is `unknown`.
 */
export async function makeUsageHistory(sql: Sql, count: number): Promise<void> {
  await makeUsagePartitions(sql, history.fromMs)
  const days = (history.untilMs - history.fromMs) / dayMs
  for (let day = 0; day < days; day += 1) await makeDay(sql, history.fromMs + day * dayMs, Math.floor(count / days))
  await addUp(sql)
  // What a server in use does by itself.
  await sql`vacuum analyze`
}

/** As the program does with each batch, all at once. */
async function addUp(sql: Sql): Promise<void> {
  const apart = `
    select date_trunc('hour', at, 'UTC') as period, ${seriesOfEvent}, ${sumsOfEvents}
    from usage_events group by date_trunc('hour', at, 'UTC'), ${seriesColumns.join(', ')}`
  const together = `
    select period, ${seriesOfTotal}, ${sumsOfSums} from apart group by period, ${seriesColumns.slice(2).join(', ')}`
  await sql.unsafe(`create unlogged table apart as select *, ${seriesId} as series from (${apart}) as hours`)
  await sql.unsafe(`create unlogged table together as select *, ${seriesId} as series from (${together}) as hours`)
  for (const [source, suffix] of [
    ['apart', ''],
    ['together', '_totals'],
  ] as const) {
    await sql.unsafe(`
      insert into usage_series select distinct series, ${seriesColumns.join(', ')} from ${source};
      insert into usage_hourly${suffix} (period, series, ${sumColumns.join(', ')})
      select period, series, ${sumColumns.join(', ')} from ${source} order by period;
      insert into usage_daily${suffix} (period, series, ${sumColumns.join(', ')})
      select date_trunc('day', period, 'UTC'), series, ${sumsOfSums} from ${source} group by 1, 2 order by 1;
      insert into usage_monthly${suffix} (period, series, ${sumColumns.join(', ')})
      select date_trunc('month', period, 'UTC'), series, ${sumsOfSums} from ${source} group by 1, 2 order by 1;
      drop table ${source}`)
  }
}

async function makeDay(sql: Sql, dayStartMs: number, count: number): Promise<void> {
  await sql`
    insert into usage_events (
      at, id, account_id, input_tokens, cached_input_tokens, output_tokens, cost_nano_usd, backend_us, queue_ms,
      first_token_ms, total_ms, is_stream, is_estimate, endpoint, status, request_id, key_id, tier, model, answered_model,
      backend, target, experiment, arm, price_version
    )
    select timestamptz 'epoch' + ms * interval '1 millisecond',
           (lpad(to_hex(ms), 12, '0') || '7000' || substr(md5(n::text), 1, 16))::uuid,
           ('01900000-0000-7000-8000-' || lpad((key % 100)::text, 12, '0'))::uuid,
           n % 4000, n % 1000, n % 500, n % 100000, n % 5000000, n % 10, n % 200, n % 8000, n % 2 = 0, n % 50 = 0,
           case when model = 4 then 'embeddings' else 'chat' end,
           case when chance < 0.00001 then 'unknown' when chance < 0.02 then 'error' when chance < 0.05 then 'client_cancel' else 'ok' end,
           'req_' || md5(n::text), 'key' || lpad(key::text, 13, '0'), 'tier' || key % 100 % 3, 'model' || model,
           'model' || model, 'backend' || (model * 2 + n % 2), 'target' || model,
           case when model = 0 then 'trial' end, case when model = 0 then (array['a', 'b'])[1 + n % 2] end, 'v' || model
    from (
      select n, ${dayStartMs}::bigint + floor(n * 86400000.0 / ${count})::bigint as ms, key, random() as chance,
             (key + (random() < 0.2)::integer) % 5 as model
      from (
        select n, floor(${historyKeys}::integer * power(random(), 3))::integer as key
        from generate_series(0, ${count}::integer - 1) as n
      ) as keyed
    ) as drawn`
}
