/** What is done about a database whose schema is not that of this program, by whoever comes to use it. */
import type { Sql } from 'postgres'
import { compareSchema, migrate } from './migrate.ts'

/** When the schema is changed by whoever comes to use the database: always, only where there is none yet, or never. */
export type MigrationPolicy = 'always' | 'new' | 'never'

export interface SchemaFound {
  /** Names of the migrations that were applied now. */
  readonly applied: readonly string[]
  /** Of a program that is newer. */
  readonly unknown: readonly string[]
}

/** The schema is older than this program, which may not change it. */
export class SchemaOutdatedError extends Error {
  constructor(missing: readonly string[], isNew: boolean) {
    const what = isNew ? 'has no schema of Weir yet' : `has the schema of an earlier version, without ${told(missing)}`
    super(`the database ${what}: run \`npx weir migrate\` of this version, or set WEIR_MIGRATE to "always"`)
    this.name = 'SchemaOutdatedError'
  }
}

const told = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`

/** Throws SchemaOutdatedError, and what `migrate` throws. */
export async function ensureSchema(sql: Sql, policy: MigrationPolicy): Promise<SchemaFound> {
  const { missing, unknown, isNew } = await compareSchema(sql)
  if (missing.length === 0) return { applied: [], unknown }
  if (policy === 'never' || (policy === 'new' && !isNew)) throw new SchemaOutdatedError(missing, isNew)
  return { applied: await migrate(sql), unknown }
}
