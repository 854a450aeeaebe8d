/** A process of its own for pglite.test.ts: stores a key, says its id, and waits to be killed. */
import { makeApiKey } from '../../src/domain/api-key.ts'
import { defaultAccount } from '../../src/store/accounts.ts'
import { openDatabase } from '../../src/store/database.ts'
import { insertKey } from '../../src/store/keys.ts'
import { migrate } from '../../src/store/migrate.ts'
import { peppersOf } from '../support/peppers.ts'

const { sql } = await openDatabase({ dataDir: process.argv[2] ?? '' })
await migrate(sql)
const { key: _, ...identity } = makeApiKey(peppersOf('a pepper that is long enough for tests'))
const row = { accountId: defaultAccount.id, name: 'kept', scopes: null, models: null, createdAt: new Date() }
await insertKey(sql, { ...identity, ...row, expiresAt: null })
process.stdout.write(`${identity.publicId}\n`)
setInterval(() => {}, 1000)
