/** Brings a database to the newest schema. Forward only; one transaction, so a failure leaves it as it was. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { Sql } from 'postgres'

interface Migration {
  readonly version: number
  readonly name: string
  readonly text: string
  readonly checksum: string
}

/** Any fixed number: replicas that start at once wait for each other on it. */
const migrationLock = 7_305_226_814

const folder = new URL('../migrations/', import.meta.url)

async function readMigrations(): Promise<readonly Migration[]> {
  const files = (await readdir(folder)).filter(file => file.endsWith('.sql')).sort()
  return await Promise.all(
    files.map(async file => {
      // A checkout on Windows may have turned line ends, which changes nothing about what the file does.
      const text = (await readFile(new URL(file, folder), 'utf8')).replaceAll('\r\n', '\n')
      const checksum = createHash('sha256').update(text).digest('hex')
      return { version: Number.parseInt(file, 10), name: file, text, checksum }
    }),
  )
}

/**
 * Applies what is missing and returns the names of what it applied. Safe with several replicas starting at once. Throws
 * when a migration that was applied has been edited since; a database newer than this program is left alone, so that
 * an old replica can go on during a rolling update.
 */
export async function migrate(sql: Sql): Promise<readonly string[]> {
  const migrations = await readMigrations()
  return await sql.begin(async tx => {
    await tx`select pg_advisory_xact_lock(${migrationLock})`
    await tx`
      create table if not exists weir_migrations (
        version integer primary key,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null default now()
      )`
    const rows = await tx<{ version: number; checksum: string }[]>`select version, checksum from weir_migrations`
    const applied = new Map(rows.map(row => [row.version, row.checksum]))
    const fresh: string[] = []
    for (const migration of migrations) {
      const checksum = applied.get(migration.version)
      if (checksum === migration.checksum) continue
      if (checksum !== undefined) {
        throw new Error(`migration ${migration.name} was edited after it was applied: add a new one instead`)
      }
      await tx.unsafe(migration.text)
      await tx`
        insert into weir_migrations (version, name, checksum)
        values (${migration.version}, ${migration.name}, ${migration.checksum})`
      fresh.push(migration.name)
    }
    return fresh
  })
}
