/** Brings a database to the newest schema. Forward only; each step is one transaction, so a failure leaves no half of one. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import postgres, { type Sql } from 'postgres'

interface Migration {
  readonly version: number
  readonly name: string
  readonly text: string
  readonly checksum: string
}

/** How what the database has compares with what this program knows, by the names of migrations. */
export interface SchemaDifference {
  readonly missing: readonly string[]
  /** Of a program that is newer. Each version leaves alone what the one before needs, so this one goes on. */
  readonly unknown: readonly string[]
  /** Whether none has been applied yet. */
  readonly isNew: boolean
}

/** Any fixed number: replicas that start at once wait for each other on it. */
const migrationLock = 7_305_226_814
/**
 * How long a step waits for a table that others use: all who come later wait behind it. Then it lets them go first and
 * tries again, so often.
 */
const tableLockMs = 2000
const tableLockTries = 30
const retryMs = 500

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

interface Applied {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

async function readApplied(sql: Sql): Promise<readonly Applied[]> {
  const [found] = await sql<{ exists: boolean }[]>`select to_regclass('weir_migrations') is not null as exists`
  if (found?.exists !== true) return []
  return await sql<Applied[]>`select version, name, checksum from weir_migrations order by version`
}

/** Throws where a migration that was applied has been edited since. */
function compare(known: readonly Migration[], applied: readonly Applied[]) {
  const checksums = new Map(applied.map(({ version, checksum }) => [version, checksum]))
  const edited = known.find(({ version, checksum }) => (checksums.get(version) ?? checksum) !== checksum)
  if (edited) throw new Error(`migration ${edited.name} was edited after it was applied: add a new one instead`)
  const versions = new Set(known.map(({ version }) => version))
  return {
    missing: known.filter(({ version }) => !checksums.has(version)),
    unknown: applied.filter(({ version }) => !versions.has(version)).map(({ name }) => name),
    isNew: applied.length === 0,
  }
}

/** Changes nothing and waits for nobody. Throws where a migration that was applied has been edited since. */
export async function compareSchema(sql: Sql): Promise<SchemaDifference> {
  const { missing, ...others } = compare(await readMigrations(), await readApplied(sql))
  return { ...others, missing: missing.map(({ name }) => name) }
}

/**
 * Applies what is missing and returns the names of what it applied. Safe with several replicas starting at once, and beside
 * those that use the database meanwhile. Throws when a migration that was applied has been edited since; a database newer
 * than this program is left alone, so that an old replica can go on during a rolling update.
 */
export async function migrate(sql: Sql): Promise<readonly string[]> {
  const known = await readMigrations()
  const fresh: string[] = []
  for (let tries = 1; ; ) {
    const { missing, isNew } = compare(known, await readApplied(sql))
    // A new database gets all or nothing, so that nobody takes one that was left half-way for an old one.
    const steps = isNew ? missing : missing.slice(0, 1)
    if (steps.length === 0) return fresh
    switch (await apply(sql, steps)) {
      case 'done':
        fresh.push(...steps.map(({ name }) => name))
        tries = 1
        break
      case 'in use': {
        if (tries >= tableLockTries) throw new Error(inUse(steps))
        tries += 1
        await delay(retryMs)
        break
      }
      case 'done by another':
    }
  }
}

const inUse = (steps: readonly Migration[]) =>
  `migration ${steps[0]?.name} cannot be applied: others keep its tables locked. End what has been open for long in ` +
  'pg_stat_activity, and try again'

const uniqueViolation = '23505'
/** 55P03 lock not available, 40P01 deadlock: with those who use the tables, and it was this one that gave way. */
const gaveWay = new Set(['55P03', '40P01'])

/**
 * Several statements in one message are one transaction to PostgreSQL. A step's row is written first: where another replica
 * was faster, that fails before anything else is done. The values are our own file names and digests, so nothing
 * needs escaping.
 */
async function apply(sql: Sql, steps: readonly Migration[]): Promise<'done' | 'done by another' | 'in use'> {
  const texts = steps.map(
    ({ version, name, checksum, text }) =>
      `insert into weir_migrations (version, name, checksum) values (${version}, '${name}', '${checksum}');\n${text}`,
  )
  try {
    await sql.unsafe(`
      select pg_advisory_xact_lock(${migrationLock});
      select set_config('lock_timeout', '${tableLockMs}ms', true);
      ${versionTable}
      ${texts.join('\n;\n')}`)
    return 'done'
  } catch (error) {
    if (!(error instanceof postgres.PostgresError)) throw error
    if (error.code === uniqueViolation && error.table_name === 'weir_migrations') return 'done by another'
    if (gaveWay.has(error.code)) return 'in use'
    throw error
  }
}
