import assert from 'node:assert/strict'
import type { Sql } from 'postgres'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { insertUsageEvents } from '../../src/store/usage-events.ts'
import { listUsageEvents, selectUsageEvents, type UsageEventFilter } from '../../src/store/usage-listing.ts'
import { conform } from '../support/conformance.ts'
import { anyEvent, makeUsageEvent } from '../support/usage.ts'
import { accounts } from '../support/usage-model.ts'

const [first = '', second = ''] = accounts
const at = (time: string) => Date.parse(`${time}:00Z`)

/** Newest first. */
const events = [
  makeUsageEvent({ atMs: at('2026-03-02T00:00'), accountId: first, model: 'large' }),
  makeUsageEvent({ atMs: at('2026-03-01T00:00'), accountId: second, keyId: null }),
  makeUsageEvent({ atMs: at('2026-02-28T23:59'), accountId: first, keyId: 'b'.repeat(16) }),
  makeUsageEvent({ atMs: at('2026-01-31T12:00'), accountId: second, status: 'error', error: 'timeout' }),
]

const places = async (sql: Sql, filter: Partial<UsageEventFilter>) =>
  (await listUsageEvents(sql, { ...anyEvent, ...filter }, { limit: 100, before: null })).map(({ id }) =>
    events.findIndex(event => event.id === id),
  )

async function explain(sql: Sql, filter: Partial<UsageEventFilter>): Promise<string> {
  const query = selectUsageEvents(sql, { ...anyEvent, ...filter }, { limit: 10, before: null })
  const rows = await sql`explain ${query}`
  return rows.map(row => row['QUERY PLAN']).join('\n')
}

conform('the list of usage events', {
  'is filtered by account, key, model, status and time': async sql => {
    await insertUsageEvents(sql, events.toReversed(), 5000)
    assert.deepEqual(await places(sql, {}), [0, 1, 2, 3])
    assert.deepEqual(await places(sql, { accountId: first }), [0, 2])
    assert.deepEqual(await places(sql, { keyId: 'b'.repeat(16) }), [2])
    assert.deepEqual(await places(sql, { model: 'large' }), [0])
    assert.deepEqual(await places(sql, { status: 'error' }), [3])
    assert.deepEqual(await places(sql, { accountId: first, status: 'error' }), [])
    const range = { fromMs: at('2026-02-28T23:59'), untilMs: at('2026-03-02T00:00') }
    assert.deepEqual(await places(sql, { range }), [1, 2])
  },

  'comes in pages that are cut also within a millisecond': async sql => {
    const many = Array.from({ length: 20 }, (_, index) =>
      makeUsageEvent({ atMs: at('2026-02-28T23:59') + (index >> 3) }),
    )
    await insertUsageEvents(sql, many, 5000)
    const pages: UsageEvent[] = []
    for (;;) {
      const before = pages.at(-1) ?? null
      const page = await listUsageEvents(sql, anyEvent, { limit: 3, before })
      if (page.length === 0) break
      pages.push(...page)
    }
    assert.deepEqual(
      pages,
      many.toSorted((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1)),
    )
  },

  'looks at the months of the time that is asked for and at no other, by an index': async sql => {
    await insertUsageEvents(sql, events, 5000)
    const range = { fromMs: at('2026-02-01T00:00'), untilMs: at('2026-03-01T00:00') }
    const plan = await explain(sql, { range })
    assert.match(plan, /usage_events_2026_02/)
    assert.doesNotMatch(plan, /usage_events_2026_0[13]/)
    assert.match(await explain(sql, { accountId: first, range }), /usage_events_2026_02/)
  },
})
