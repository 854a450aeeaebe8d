/** Databases with the schema of an earlier version. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import type { Sql } from 'postgres'
import postgres from 'postgres'
import { onEnd } from './cleanup.ts'
import { createDatabase } from './services.ts'

const folder = new URL('../../src/migrations/', import.meta.url)

export const migrationNames: readonly string[] = readdirSync(folder).sort()

/** As a version of Weir has left it that had no later migration than this number, and its URL. */
export async function openOldDatabase(t: TestContext, lastMigration: number) {
  const databaseUrl = await createDatabase(t)
  const sql = postgres(databaseUrl, { max: 4, onnotice: () => undefined })
  onEnd(t, () => sql.end({ timeout: 1 }))
  await applyMigrations(sql, lastMigration)
  return { sql, databaseUrl }
}

async function applyMigrations(sql: Sql, lastMigration: number): Promise<void> {
  await sql.unsafe(`
    create table weir_migrations (
      version integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`)
  for (const name of migrationNames) {
    const version = Number.parseInt(name, 10)
    if (version > lastMigration) return
    const text = readFileSync(new URL(name, folder), 'utf8')
    const checksum = createHash('sha256').update(text).digest('hex')
    await sql.unsafe(text)
    await sql`insert into weir_migrations ${sql({ version, name, checksum })}`
  }
}
