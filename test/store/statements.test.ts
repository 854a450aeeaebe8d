import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '../../src/store/database.ts'
import { withDeadline } from '../../src/store/deadline.ts'
import { countStatements } from '../../src/store/statements.ts'
import { onEnd } from '../support/cleanup.ts'
import { createDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { until } from '../support/until.ts'

test('statements that run are told from those that wait for a connection, and counted until they are answered', async t => {
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl: await createDatabase(t) })
  onEnd(t, () => database.close())
  const { sql } = database
  const before = countStatements()
  const countNew = () => {
    const { running, waiting } = countStatements()
    return { running: running - before.running, waiting: waiting - before.waiting }
  }

  // The pool has ten connections, and behind each there are two that wait.
  const asleep = Array.from({ length: 30 }, () => withDeadline(sql`select pg_sleep(0.2)`, 50).catch(() => 'overdue'))
  await until('ten statements run', () => countNew().running === 10)
  assert.deepEqual(countNew(), { running: 10, waiting: 20 })

  assert.deepEqual(new Set(await Promise.all(asleep)), new Set(['overdue']))
  assert.ok(countNew().running > 0, 'nobody waits for them any more, and the database has not answered')
  await until('all are answered', () => countNew().running + countNew().waiting === 0)
})
