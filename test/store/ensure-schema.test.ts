import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DatabaseContact } from '../../src/store/contact.ts'
import { openDatabase } from '../../src/store/database.ts'
import { ensureSchema } from '../../src/store/ensure-schema.ts'
import { compareSchema, migrate } from '../../src/store/migrate.ts'
import { onEnd } from '../support/cleanup.ts'
import { migrationNames, openOldDatabase } from '../support/schemas.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'

const last = migrationNames.length

test('a new database gets its schema by "new" and "always"; what is older only by "always"; and "never" changes nothing', async t => {
  const { sql: empty } = await openOldDatabase(t, 0)
  await assert.rejects(
    ensureSchema(empty, 'never'),
    /no schema of Weir yet: run `npx weir migrate` .* WEIR_MIGRATE to "always"/,
  )
  assert.deepEqual(await ensureSchema(empty, 'new'), { applied: migrationNames, unknown: [] })
  assert.deepEqual(await ensureSchema(empty, 'never'), { applied: [], unknown: [] })

  const { sql: older } = await openOldDatabase(t, last - 2)
  const missing = migrationNames.slice(-2)
  for (const policy of ['new', 'never'] as const) {
    await assert.rejects(
      ensureSchema(older, policy),
      new RegExp(`of an earlier version, without ${missing.join(', ')}: run`),
    )
  }
  assert.deepEqual((await compareSchema(older)).missing, missing)
  assert.deepEqual(await ensureSchema(older, 'always'), { applied: missing, unknown: [] })
})

test('a newer database is used as it is', async t => {
  const { sql } = await openOldDatabase(t, last)
  await sql`insert into weir_migrations (version, name, checksum) values (9999, '9999-future.sql', 'x')`
  assert.deepEqual(await ensureSchema(sql, 'never'), { applied: [], unknown: ['9999-future.sql'] })
})

test('whoever may not change an older database waits for it, says so once, and goes on by itself', async t => {
  const { sql, databaseUrl } = await openOldDatabase(t, last - 1)
  const said: string[] = []
  const note = (text: string) => void said.push(text)
  const log = {
    info: note,
    warn: (_: object, text: string) => note(text),
    error: (_: object, text: string) => note(text),
  }
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl })
  const contact = new DatabaseContact(database, log, 'new')
  onEnd(t, async () => {
    await contact.stop()
    await database.close()
  })
  await until('it waits', () => contact.state === 'outdated')
  contact.reportFailure(new Error('of nobody'))
  await migrate(sql)
  await contact.firstContact
  assert.equal(contact.state, 'ready')
  assert.deepEqual(said, ['the database waits for a migration; looking again', 'the database answers'])
})
