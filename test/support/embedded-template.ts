import { createHash, randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import packageJson from '../../package.json' with { type: 'json' }
import { openDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'

const { '@electric-sql/pglite': version } = packageJson.dependencies
/** Kept from run to run, as it is the same for the same version with the same tables. */
const template = fileURLToPath(new URL(`../../node_modules/.cache/pglite-${version}-${hashTables()}`, import.meta.url))

function hashTables(): string {
  const folder = new URL('../../src/migrations/', import.meta.url)
  const hash = createHash('sha256')
  for (const name of readdirSync(folder).sort()) hash.update(`${name}\n`).update(readFileSync(new URL(name, folder)))
  return hash.digest('hex').slice(0, 16)
}

/** Puts an embedded database with Weir's tables into `dataDir`: to copy one takes a tenth of the time of making it. */
export async function copyEmbedded(dataDir: string): Promise<void> {
  if (!existsSync(template)) await makeTemplate()
  await cp(template, dataDir, { recursive: true })
}

/** Several test files may find it missing at once: the first one that is ready stays. */
async function makeTemplate(): Promise<void> {
  const draft = join(dirname(template), `draft-${randomUUID()}`)
  await mkdir(draft, { recursive: true })
  const database = await openDatabase({ dataDir: draft })
  await migrate(database.sql)
  await database.close()
  await rename(draft, template).catch(() => undefined)
  await rm(draft, { recursive: true, force: true })
}
