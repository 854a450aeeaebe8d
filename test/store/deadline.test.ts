import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '../../src/store/database.ts'
import { DatabaseUnavailableError, isUnavailable, withDeadline } from '../../src/store/deadline.ts'
import { onEnd } from '../support/cleanup.ts'
import { startPostgres } from '../support/postgres-server.ts'

test('a call has an end; an answer is told from no answer', async t => {
  const server = await startPostgres(t)
  const database = await openDatabase({ dataDir: server.folder, databaseUrl: server.url })
  onEnd(t, () => database.close())
  const { sql } = database

  assert.equal((await withDeadline(sql`select 1 as one`))[0]?.['one'], 1)
  await assert.rejects(withDeadline(sql`select nonsense`), error => {
    assert.ok(error instanceof Error && 'code' in error && error.code === '42703' && !isUnavailable(error))
    return true
  })

  await assert.rejects(withDeadline(sql`select pg_sleep(10)`, 30), DatabaseUnavailableError)

  server.freeze()
  await assert.rejects(withDeadline(sql`select 1`, 30), DatabaseUnavailableError)
  server.thaw()
  assert.equal((await withDeadline(sql`select 1 as one`))[0]?.['one'], 1)

  await server.kill()
  database.renew('closed')
  await assert.rejects(withDeadline(sql`select 1`), error => {
    assert.ok(error instanceof DatabaseUnavailableError && isUnavailable(error))
    assert.ok(error.cause instanceof Error)
    return true
  })
})

test('an error that only looks like one of the network is not one', () => {
  assert.equal(isUnavailable(Object.assign(new Error('x'), { code: '57P03' })), true)
  assert.equal(isUnavailable(Object.assign(new Error('x'), { code: '08006' })), true)
  assert.equal(isUnavailable(Object.assign(new Error('x'), { code: '23505' })), false)
  assert.equal(isUnavailable(Object.assign(new Error('x'), { code: 'CONNECTION_ENDED' })), false)
  assert.equal(isUnavailable('ECONNREFUSED'), false)
})
