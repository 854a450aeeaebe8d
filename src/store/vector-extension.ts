/** pgvector, where the database has it, and the tables that need it: those are no migration, as not every database can have them. */
import type { Sql } from 'postgres'
import { isUnavailable, withDeadline } from './deadline.ts'

/** The most that pgvector's HNSW indexes of half precision take; of single precision half as many. */
export const maxDimensions = 4000
const maxSingleDimensions = 2000

export type VectorSupport =
  | { readonly kind: 'ready'; readonly version: string }
  /** `reason` says what is wrong and what to do, for the log. */
  | { readonly kind: 'unusable'; readonly reason: string }

/** With iterative scans, without which a filter loses neighbours. */
const leastVersion = [0, 8] as const

/** Any fixed number: replicas that start at once wait for each other on it. */
const tablesLock = 7_305_226_815
const makeTimeoutMs = 30_000

/**
 * Makes the extension and the tables where they are not there yet. Safe with several replicas starting at once. Throws
 * DatabaseUnavailableError where the database is away; whatever else it says makes it unusable.
 */
export async function prepareVectors(sql: Sql): Promise<VectorSupport> {
  try {
    const version = await findVersion(sql)
    if (version === null) {
      return unusable('this PostgreSQL does not have the extension: install pgvector 0.8 or newer on its server')
    }
    if (!(await hasTables(sql))) await makeTables(sql)
    // Another one may be installed than a new installation would be.
    const installed = await findInstalled(sql)
    if (isOld(installed)) {
      return unusable(
        `pgvector ${installed} is installed: update it to 0.8 or newer, then: alter extension vector update`,
      )
    }
    return { kind: 'ready', version: installed }
  } catch (error) {
    if (isUnavailable(error)) throw error
    const words = error instanceof Error ? error.message : String(error)
    return unusable(
      `the database says "${words}": let a superuser run "create extension vector", and let the role of DATABASE_URL create tables`,
    )
  }
}

/** One index for each length of vectors, made when the first of them comes. */
export async function prepareDimensions(sql: Sql, dimensions: number): Promise<void> {
  const { type, operators } = indexedAs(dimensions)
  await withDeadline(
    sql.unsafe(`
      select pg_advisory_xact_lock(${tablesLock});
      create index if not exists semantic_entries_near_${dimensions} on semantic_entries
        using hnsw ((embedding::${type}) ${operators}) with (m = 8, ef_construction = 32) where dimensions = ${dimensions};`),
    makeTimeoutMs,
  )
}

/** Drops the indexes of all lengths. Until they are prepared again all is found as well, only not as fast. */
export async function dropDimensions(sql: Sql): Promise<void> {
  const indexes = await withDeadline(sql<{ name: string }[]>`
    select indexname as name from pg_indexes
    where tablename = 'semantic_entries' and schemaname = current_schema() and indexname like 'semantic\_entries\_near\_%'`)
  for (const { name } of indexes) await withDeadline(sql`drop index if exists ${sql(name)}`)
}

/** How vectors of this length are indexed. It stands in statements as it is, so another number throws a RangeError. */
export function indexedAs(dimensions: number): { readonly type: string; readonly operators: string } {
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > maxDimensions) {
    throw new RangeError(`a vector has 1 to ${maxDimensions} dimensions, not ${dimensions}`)
  }
  const name = dimensions > maxSingleDimensions ? 'halfvec' : 'vector'
  return { type: `${name}(${dimensions})`, operators: `${name}_cosine_ops` }
}

const unusable = (reason: string): VectorSupport => ({ kind: 'unusable', reason })

/** Whoever may use them need not be allowed to make them. */
async function hasTables(sql: Sql): Promise<boolean> {
  const [row] = await withDeadline(
    sql<[{ there: boolean }]>`select to_regclass('semantic_entries') is not null as there`,
  )
  return row.there
}

/** In one message, which is one transaction. */
async function makeTables(sql: Sql): Promise<void> {
  await withDeadline(
    sql.unsafe(`
      select pg_advisory_xact_lock(${tablesLock});
      create extension if not exists vector;
      ${tables}`),
    makeTimeoutMs,
  )
}

async function findVersion(sql: Sql): Promise<string | null> {
  const [row] = await withDeadline(sql<{ version: string }[]>`
    select coalesce(installed_version, default_version) as version from pg_available_extensions where name = 'vector'`)
  return row?.version ?? null
}

async function findInstalled(sql: Sql): Promise<string> {
  const [row] = await withDeadline(sql<{ version: string }[]>`
    select extversion as version from pg_extension where extname = 'vector'`)
  return row?.version ?? ''
}

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < leastVersion[0] || (major === leastVersion[0] && minor < leastVersion[1])
}

/**
 * The vectors of all models are in one table, so that its bound is one and an account is forgotten at once; `dimensions` says
 * which index they are in.
 */
const tables = `
  create table if not exists semantic_entries (
    id bigint generated always as identity primary key,
    scope text not null,
    guard text not null,
    entry_key text not null,
    account_id text not null,
    model text not null,
    dimensions smallint not null,
    embedding vector not null,
    expires_at timestamptz not null,
    constraint semantic_entries_once unique (scope, guard, entry_key)
  );
  create index if not exists semantic_entries_entry on semantic_entries (entry_key);
  create index if not exists semantic_entries_account on semantic_entries (account_id, id);
  create index if not exists semantic_entries_expiry on semantic_entries (expires_at);`
