import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { insertUsageEvents, isPoison } from '../../src/store/usage-events.ts'
import { onEnd } from '../support/cleanup.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { createDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { makeUsageEvent } from '../support/usage.ts'
import { modelOfSums, readAllSums } from '../support/usage-model.ts'

test('P04 batches whose answers are lost after the commit are there once, when they have come again', async t => {
  const url = new URL(await createDatabase(t))
  const proxy = await startFaultProxy(t, { url: url.href })
  url.port = String(proxy.port)
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl: url.href })
  onEnd(t, () => database.close())
  const { sql } = database
  await migrate(sql)
  const batches = Array.from({ length: 50 }, (_, turn) =>
    Array.from({ length: 20 }, (__, index) =>
      makeUsageEvent({ atMs: Date.parse('2026-03-31T23:59:59.000Z') + turn * 100 + index, model: `m${index % 3}` }),
    ),
  )
  await insertUsageEvents(
    sql,
    batches.flatMap(batch => batch.slice(0, 1)),
    5000,
  )
  const counts: number[] = []
  for (const [turn, batch] of batches.entries()) {
    // Every length that an answer can be cut to.
    proxy.limitData(turn * 2)
    const error = await insertUsageEvents(sql, batch, 5000).then(
      () => null,
      thrown => thrown,
    )
    proxy.clear()
    if (error === null) continue
    assert.equal(isPoison(error), false)
    database.renew('closed')
    counts.push(await insertUsageEvents(sql, batch, 5000))
  }
  assert.ok(counts.filter(count => count === 0).length > 10, 'what had no answer had been committed')
  assert.deepEqual(await readAllSums(sql), modelOfSums(batches.flat()))
})
