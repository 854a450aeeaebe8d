/** Brings a database to the newest schema. Forward only; each step is one transaction, so a failure leaves no half of one. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import postgres, { type Sql } from 'postgres'

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

const versionTable = `
  create table if not exists weir_migrations (
    version integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now()
  );`

/**
 * Applies what is missing and returns the names of what it applied. Safe with several replicas starting at once. Throws
 * when a migration that was applied has been edited since; a database newer than this program is left alone, so that
 * an old replica can go on during a rolling update.
 */
export async function migrate(sql: Sql): Promise<readonly string[]> {
  const migrations = await readMigrations()
  await sql.unsafe(`select pg_advisory_xact_lock(${migrationLock}); ${versionTable}`)
  const fresh: string[] = []
  for (const migration of migrations) {
    const [applied] = await sql<{ checksum: string }[]>`
      select checksum from weir_migrations where version = ${migration.version}`
    if (applied && applied.checksum !== migration.checksum) {
      throw new Error(`migration ${migration.name} was edited after it was applied: add a new one instead`)
    }
    if (!applied && (await apply(sql, migration))) fresh.push(migration.name)
  }
  return fresh
}

const uniqueViolation = '23505'

/**
 * Several statements in one message are one transaction to PostgreSQL. The row is written first: where another replica
 * was faster, that fails before anything else is done. The values are our own file names and digests, so nothing
 * needs escaping. Returns whether it was this call that did it.
 */
async function apply(sql: Sql, { version, name, checksum, text }: Migration): Promise<boolean> {
  try {
    await sql.unsafe(`
      select pg_advisory_xact_lock(${migrationLock});
      insert into weir_migrations (version, name, checksum) values (${version}, '${name}', '${checksum}');
      ${text}`)
    return true
  } catch (error) {
    const row = error instanceof postgres.PostgresError && error.code === uniqueViolation ? error.table_name : undefined
    if (row === 'weir_migrations') return false
    throw error
  }
}
