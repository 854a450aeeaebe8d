/** What a version of Weir asks the database, written down so that a later one can ask it as well. */
import { readdirSync, readFileSync } from 'node:fs'
import postgres, { type Sql } from 'postgres'

interface Parameter {
  /** The OID of its type; 0 where the server is to say. */
  readonly type: number
  readonly value: unknown
}

export interface Statement {
  readonly text: string
  readonly parameters: readonly Parameter[]
}

export interface Recording {
  /** The last that the version knew. */
  readonly lastMigration: number
  readonly statements: readonly Statement[]
}

const folder = new URL('../fixtures/statements/', import.meta.url)
const jsonTypes = new Set([114, 3802])

export function recordingClient(url: string): { sql: Sql; statements: readonly Statement[] } {
  const statements: Statement[] = []
  const debug = (_connection: number, text: string, values: unknown[], types: unknown[]) =>
    void statements.push({
      text,
      parameters: values.map((value, index) => ({ type: Number(types[index]), value: written(value) })),
    })
  return { sql: postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined, debug }), statements }
}

const written = (value: unknown): unknown => {
  if (value instanceof Date) return { $date: value.toISOString() }
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('hex') }
  return typeof value === 'bigint' ? String(value) : value
}

function read({ type, value }: Parameter, sql: Sql) {
  const { $date: date, $bytes: bytes }: { $date?: string; $bytes?: string } = Object(value)
  if (date !== undefined) return new Date(date)
  if (bytes !== undefined) return Buffer.from(bytes, 'hex')
  return jsonTypes.has(type) ? sql.typed(value, type) : value
}

export const recordings = (): readonly Recording[] =>
  readdirSync(folder)
    .sort()
    .map(name => JSON.parse(readFileSync(new URL(name, folder), 'utf8')))

export const recordingFile = (lastMigration: number): URL =>
  new URL(`${String(lastMigration).padStart(4, '0')}.json`, folder)

/** Versions of rows are of the database that was recorded: here they say nothing. */
const ofAnyVersion = (text: string): string => text.replaceAll(/[\w.]*xmin::text = (\$\d+)/g, '$1::text is not null')

/** What comes of each statement: how many rows, or the code of an error. */
export async function replay({ statements }: Recording, url: string): Promise<readonly string[]> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined })
  const outcomes: string[] = []
  for (const { text, parameters } of statements) {
    const values = parameters.map(parameter => read(parameter, sql))
    const outcome = await sql.unsafe(ofAnyVersion(text), values as never[], { prepare: true }).then(
      rows => `${rows.count} rows`,
      error => `error ${error.code}: ${error.message}`,
    )
    outcomes.push(`${text.trim().replace(/\s+/g, ' ').slice(0, 80)}: ${outcome}`)
  }
  await sql.end({ timeout: 1 })
  return outcomes
}
