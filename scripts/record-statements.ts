// Writes down what this version asks the database, for the tests of later ones: `node scripts/record-statements.ts`, when a
// version is released. What is older than the versions that run side by side may be deleted.
import { writeFileSync } from 'node:fs'
import { migrate } from '../src/store/migrate.ts'
import { useLedger } from '../test/support/ledger-use.ts'
import { startPostgresServer } from '../test/support/postgres-server.ts'
import { recordingClient, recordingFile } from '../test/support/statements.ts'
import { useAccountsAndKeys } from '../test/support/store-use.ts'

const server = await startPostgresServer()
const { sql, statements } = recordingClient(server.url)
await migrate(sql)
const [last] = await sql`select max(version) as version from weir_migrations`
const begin = statements.length
await useAccountsAndKeys(sql)
await useLedger(sql, Date.now())
const lastMigration = Number(last?.['version'])
writeFileSync(
  recordingFile(lastMigration),
  `${JSON.stringify({ lastMigration, statements: statements.slice(begin) }, null, 1)}\n`,
)
await sql.end()
await server.remove()
