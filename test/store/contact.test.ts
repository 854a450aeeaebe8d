import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DatabaseContact } from '../../src/store/contact.ts'
import { openDatabase } from '../../src/store/database.ts'
import { withDeadline } from '../../src/store/deadline.ts'
import { onEnd } from '../support/cleanup.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { until } from '../support/until.ts'

test('G05: started with the database down it goes on trying, and every outage after it heals by itself', async t => {
  const server = await startPostgres(t)
  await server.kill()
  const said: string[] = []
  const log = {
    info: (text: string) => said.push(text),
    warn: (_: object, text: string) => said.push(text),
    error: (_: object, text: string) => said.push(text),
  }
  const database = await openDatabase({ dataDir: server.folder, databaseUrl: server.url })
  const contact = new DatabaseContact(database, log, 'new')
  onEnd(t, async () => {
    await contact.stop()
    await database.close()
  })
  await until('an attempt has failed', () => said.length > 0)
  assert.equal(contact.state, 'connecting')

  await server.start()
  await contact.firstContact
  // At once: what waits for it does not look again for a while.
  assert.equal(contact.state, 'ready')
  assert.equal((await database.sql`select count(*)::int as n from accounts`)[0]?.['n'], 1)

  await server.kill()
  await withDeadline(database.sql`select 1`).catch(error => contact.reportFailure(error))
  assert.equal(contact.state, 'down')
  await server.start()
  await until('it is ready again', () => contact.state === 'ready')

  // A server that is there but says nothing: its connections have to be given up, or it would be down for ever.
  server.freeze()
  await withDeadline(database.sql`select 1`, 50).catch(error => contact.reportFailure(error))
  await until('it is found to be silent', () => contact.state === 'down')
  server.thaw()
  await until('it is ready once more', () => contact.state === 'ready')
  await withDeadline(database.sql`select 1`)

  const changes = said.filter(text => !text.includes('schema'))
  assert.deepEqual(changes, [
    'the database is down; trying again',
    'the database answers',
    'the database is down; trying again',
    'the database answers',
    'the database is down; trying again',
    'the database answers',
  ])
})
