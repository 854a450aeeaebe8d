import assert from 'node:assert/strict'
import { test } from 'node:test'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { openTestDatabase } from '../support/databases.ts'
import { makeUsageEvent } from '../support/usage.ts'

const batchSize = 1000
const batches = 20
const boundPerSecond = 5000

test(`P02 PostgreSQL takes ${boundPerSecond} events a second from one that inserts`, async t => {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const startMs = Date.parse('2026-03-14T15:00:00Z')
  const events = Array.from({ length: batches * batchSize }, (_, index) =>
    // Several hundred series in each batch.
    makeUsageEvent({
      atMs: startMs + index,
      keyId: `key${index % 100}`,
      model: `m${index % 3}`,
      backend: `b${index % 7}`,
    }),
  )
  const startedAt = performance.now()
  for (let start = 0; start < events.length; start += batchSize) {
    await insertUsageEvents(sql, events.slice(start, start + batchSize), 30_000)
  }
  const perSecond = (events.length / (performance.now() - startedAt)) * 1000
  t.diagnostic(`${Math.round(perSecond)} events a second`)
  assert.ok(perSecond >= boundPerSecond, `${Math.round(perSecond)} a second`)
})
