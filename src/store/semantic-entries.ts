/**
 * The questions whose answers are kept, as vectors: which answer may do for another question. The answers themselves are in
 * the exact cache; a row has the key of its entry there. No text is in here: scopes and guards are keyed digests.
 */
import type { ISql, Sql } from 'postgres'
import { withDeadline } from './deadline.ts'
import { dropDimensions, indexedAs, prepareDimensions } from './vector-extension.ts'

export interface SemanticPlace {
  /** Only within the same one is anything found; see scopeOf. */
  readonly scope: string
  /** Only what has the same one is found; see guardOf. */
  readonly guard: string
  readonly vector: readonly number[]
}

export interface SemanticEntry extends SemanticPlace {
  /** Of its answer in the exact cache. */
  readonly entryKey: string
  readonly accountId: string
  readonly model: string
  readonly ttlMs: number
}

export interface Nearest {
  readonly entryKey: string
  /** The cosine, -1 to 1. */
  readonly similarity: number
}

/** As many are compared one by one, which finds the nearest for certain. */
const fewEntries = 500

/**
 * The nearest entry of the same scope and guard; null where there is none. Where there are few, all are compared; else the HNSW
 * index is gone through from near to far, over the entries of others, until one is found (hnsw.iterative_scan) or
 * pgvector's own bound of 20,000 is reached. Throws as withDeadline does.
 */
export async function findNearest(sql: Sql, place: SemanticPlace, timeoutMs: number): Promise<Nearest | null> {
  const { scope, guard, vector } = place
  const type = sql.unsafe(indexedAs(vector.length).type)
  const near = sql`embedding::${type} <=> ${writeVector(vector)}::${type}`
  // As it stands in the index, which else would not be used.
  const size = sql.unsafe(String(vector.length))
  const same = sql`scope = ${scope} and guard = ${guard} and dimensions = ${size} and expires_at > now()`
  const [row] = await withDeadline(
    sql<{ entryKey: string; distance: number }[]>`
      with setting as materialized (select set_config('hnsw.iterative_scan', 'strict_order', true) as is_set),
      few as materialized (
        select entry_key, ${near} as distance from semantic_entries where ${same} limit ${fewEntries + 1}::integer
      )
      select entry_key as "entryKey", distance from (
        select entry_key, distance from few where (select count(*) from few) <= ${fewEntries}::integer
        union all (
          select entry_key, ${near} as distance from semantic_entries
          where (select count(*) from few) > ${fewEntries}::integer and (select is_set from setting) is not null and ${same}
          order by ${near} limit 1
        )
      ) found
      order by distance limit 1`,
    timeoutMs,
  )
  return row ? { entryKey: row.entryKey, similarity: 1 - row.distance } : null
}

/** Puts it in, or makes it last longer. Its dimensions must have been prepared (prepareDimensions). */
export async function addEntry(sql: ISql, entry: SemanticEntry): Promise<void> {
  const { scope, guard, vector, entryKey, accountId, model, ttlMs } = entry
  await withDeadline(sql`
    insert into semantic_entries (scope, guard, entry_key, account_id, model, dimensions, embedding, expires_at)
    values (${scope}, ${guard}, ${entryKey}, ${accountId}, ${model}, ${vector.length},
      ${writeVector(vector)}::vector, now() + ${ttlMs}::double precision * interval '1 millisecond')
    on conflict on constraint semantic_entries_once
    do update set embedding = excluded.embedding, dimensions = excluded.dimensions, expires_at = excluded.expires_at`)
}

const columns = { account: 'account_id', model: 'model', key: 'entry_key' } as const

/** Whose entries go. */
export interface Forgotten {
  readonly by: keyof typeof columns
  readonly value: string
}

/** Removes them all, and says how many there were. */
export async function forgetEntries(sql: Sql, which: Forgotten): Promise<number> {
  const [row] = await withDeadline(sql<[{ removed: number }]>`
    with removed as (delete from semantic_entries where ${sql(columns[which.by])} = ${which.value} returning id)
    select count(*)::integer as removed from removed`)
  return row.removed
}

export interface Swept {
  /** What is left. */
  readonly entries: number
  readonly expired: number
  readonly evicted: number
}

/** As many go at once. */
const sweptAtOnce = 2000

/**
 * Removes what has expired, and beyond `maxEntries` the oldest entries of the account that has the most, so that one that asks
 * much pushes out its own.
 */
export async function sweepEntries(sql: Sql, maxEntries: number): Promise<Swept> {
  const [row] = await withDeadline(sql<[Swept]>`
    with expired as (
      delete from semantic_entries where id in (
        select id from semantic_entries where expires_at <= now() order by expires_at limit ${sweptAtOnce}::integer
      )
      returning id
    ),
    counted as (
      select account_id, count(*) as entries from semantic_entries where expires_at > now() group by account_id
    ),
    excess as (select greatest(0, coalesce(sum(entries), 0) - ${maxEntries}::integer) as entries from counted),
    evicted as (
      delete from semantic_entries where id in (
        select id from semantic_entries
        where account_id = (select account_id from counted order by entries desc, account_id limit 1) and expires_at > now()
        order by id limit (select least(entries, ${sweptAtOnce}::integer) from excess)
      )
      returning id
    )
    select ((select coalesce(sum(entries), 0) from counted) - (select count(*) from evicted))::integer as entries,
           (select count(*) from expired)::integer as expired, (select count(*) from evicted)::integer as evicted`)
  return { entries: row.entries, expired: row.expired, evicted: row.evicted }
}

/**
 * Gives back the place of removed entries and counts what there is for the planner: for the embedded database, which does
 * neither by itself. Its index is made anew, which takes a tenth of the time of mending it; nothing else is answered
 * meanwhile, about half a second for a thousand entries.
 */
export async function rebuildEntries(sql: Sql): Promise<void> {
  const sizes = await withDeadline(sql<{ dimensions: number }[]>`select distinct dimensions from semantic_entries`)
  await dropDimensions(sql)
  await withDeadline(sql`vacuum analyze semantic_entries`, rebuildTimeoutMs)
  for (const { dimensions } of sizes) await prepareDimensions(sql, dimensions)
}

const rebuildTimeoutMs = 60_000

/** As pgvector reads it: digits enough for a float of 32 bits. */
const writeVector = (vector: readonly number[]): string => `[${vector.map(value => Math.fround(value)).join(',')}]`
