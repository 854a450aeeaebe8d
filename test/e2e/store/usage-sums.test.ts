import assert from 'node:assert/strict'
import type { Sql } from 'postgres'
import { insertUsageEvents } from '../../../src/store/usage-events.ts'
import {
  buildUsageStatements,
  type Granularity,
  type UsagePosition,
  type UsageQuery,
} from '../../../src/store/usage-query.ts'
import { queryUsage, type UsageRow } from '../../../src/store/usage-sums.ts'
import { conform } from '../../support/conformance.ts'
import { allTime, makeUsageEvent } from '../../support/usage.ts'
import { accounts, addUp } from '../../support/usage-model.ts'

const [first = '', second = ''] = accounts
const at = (time: string) => Date.parse(`${time}:00Z`)
const everything: UsageQuery = { range: allTime, granularity: 'none', groupBy: [], filter: {} }

const events = [
  makeUsageEvent({ atMs: at('2026-02-27T22:30'), accountId: first, model: 'small', experiment: 'x', arm: 'a' }),
  makeUsageEvent({ atMs: at('2026-02-28T10:10'), accountId: first, model: 'large', keyId: null, backend: null }),
  makeUsageEvent({ atMs: at('2026-02-28T23:59'), accountId: second, model: 'large', status: 'error', costNanoUsd: 0 }),
  makeUsageEvent({ atMs: at('2026-03-01T00:00'), accountId: first, model: 'small', experiment: 'x', arm: 'b' }),
  makeUsageEvent({
    atMs: at('2026-03-01T00:40'),
    accountId: second,
    model: 'small',
    endpoint: 'embeddings',
    tier: 'premium',
  }),
  makeUsageEvent({
    atMs: at('2026-03-31T23:59'),
    accountId: first,
    model: 'small',
    priceVersion: null,
    costNanoUsd: 0,
  }),
]

const read = async (sql: Sql, query: Partial<UsageQuery>) =>
  await queryUsage(sql, { ...everything, ...query }, { limit: 100, after: null })

/** Each row as its period, its group and its number of requests. */
const told = (rows: readonly UsageRow[]) =>
  rows.map(({ period, group, sums }) => [period?.toISOString().slice(0, 16) ?? '', ...group, Number(sums.requests)])

async function readInPages(sql: Sql, query: UsageQuery, limit: number): Promise<readonly UsageRow[]> {
  const rows: UsageRow[] = []
  for (let after: UsagePosition | null = null; ; ) {
    const page: readonly UsageRow[] = await queryUsage(sql, query, { limit, after })
    rows.push(...page)
    const last = page.at(-1)
    if (last === undefined || page.length < limit) return rows
    after = { period: last.period, group: last.group }
  }
}

conform('sums of usage', {
  'are by hour, day, month or all of it, and exact': async sql => {
    await insertUsageEvents(sql, events, 5000)
    const [all] = await read(sql, {})
    assert.deepEqual(all, { period: null, group: [], sums: addUp(events) })
    assert.deepEqual(told(await read(sql, { granularity: 'month' })), [
      ['2026-02-01T00:00', 3],
      ['2026-03-01T00:00', 3],
    ])
    assert.deepEqual(told(await read(sql, { granularity: 'day' })), [
      ['2026-02-27T00:00', 1],
      ['2026-02-28T00:00', 2],
      ['2026-03-01T00:00', 2],
      ['2026-03-31T00:00', 1],
    ])
    assert.deepEqual(told(await read(sql, { granularity: 'hour', filter: { account: first } })), [
      ['2026-02-27T22:00', 1],
      ['2026-02-28T10:00', 1],
      ['2026-03-01T00:00', 1],
      ['2026-03-31T23:00', 1],
    ])
    assert.deepEqual(await read(sql, { range: { fromMs: 0, untilMs: at('2026-01-01T00:00') } }), [])
    // In all more than a bigint holds, which one row of sums cannot be.
    const dearest = Array.from({ length: 1200 }, (_, index) =>
      makeUsageEvent({ atMs: at('2026-01-01T00:00'), costNanoUsd: 2 ** 53 - 1, tier: `t${index % 2}` }),
    )
    await insertUsageEvents(sql, dearest, 5000)
    assert.deepEqual((await read(sql, {}))[0]?.sums, addUp([...events, ...dearest]))
  },

  'of a range that begins and ends within days, of months and of all, are of its hours': async sql => {
    await insertUsageEvents(sql, events, 5000)
    const range = { fromMs: at('2026-02-27T23:00'), untilMs: at('2026-03-01T00:00') }
    for (const granularity of ['none', 'hour', 'day', 'month'] as const) {
      const counts = (await read(sql, { range, granularity })).map(({ sums }) => Number(sums.requests))
      assert.deepEqual(counts, granularity === 'hour' ? [1, 1] : [2], granularity)
    }
    const short = { fromMs: at('2026-03-31T23:00'), untilMs: at('2026-04-01T00:00') }
    assert.deepEqual(told(await read(sql, { range: short, granularity: 'day' })), [['2026-03-31T00:00', 1]])
    await assert.rejects(read(sql, { range: { ...range, fromMs: range.fromMs + 60_000 } }), RangeError)
  },

  'are grouped and filtered by what an event is of': async sql => {
    await insertUsageEvents(sql, events, 5000)
    assert.deepEqual(told(await read(sql, { groupBy: ['account'] })), [
      ['', first, 4],
      ['', second, 2],
    ])
    assert.deepEqual(told(await read(sql, { groupBy: ['experiment', 'arm'] })), [
      ['', null, null, 4],
      ['', 'x', 'a', 1],
      ['', 'x', 'b', 1],
    ])
    assert.deepEqual(told(await read(sql, { groupBy: ['key'] })), [
      ['', null, 1],
      ['', 'k'.repeat(16), 5],
    ])
    assert.deepEqual(told(await read(sql, { groupBy: ['backend', 'status'] })), [
      ['', null, 'ok', 1],
      ['', 'one', 'error', 1],
      ['', 'one', 'ok', 4],
    ])
    assert.deepEqual(told(await read(sql, { groupBy: ['tier', 'endpoint'], filter: { model: 'small' } })), [
      ['', 'free', 'chat', 3],
      ['', 'premium', 'embeddings', 1],
    ])
    const filter = {
      account: first,
      key: 'k'.repeat(16),
      backend: 'one',
      experiment: 'x',
      arm: 'b',
      status: 'ok',
      endpoint: 'chat',
      tier: 'free',
    }
    assert.deepEqual(told(await read(sql, { filter })), [['', 1]])
    const hostile = "small' or true --"
    assert.deepEqual(await read(sql, { filter: { model: hostile, tier: hostile } }), [])
  },

  'come in pages of any size, whatever they are by and however often nothing is named': async sql => {
    await insertUsageEvents(sql, events, 5000)
    const granularities: Granularity[] = ['none', 'hour', 'day', 'month']
    for (const granularity of granularities) {
      for (const groupBy of [['account'], ['key', 'backend'], ['experiment', 'arm', 'model']] as const) {
        const query = {
          ...everything,
          range: { fromMs: at('2026-02-27T22:00'), untilMs: at('2026-04-01T00:00') },
          granularity,
          groupBy,
        }
        const all = await queryUsage(sql, query, { limit: 100, after: null })
        assert.ok(all.length >= 2)
        for (const limit of [1, 2]) assert.deepEqual(await readInPages(sql, query, limit), all)
      }
    }
  },

  'are asked for with nothing of what callers say in the statement': async () => {
    const filter = { account: 'A'.repeat(9), key: 'B'.repeat(9), model: 'C'.repeat(9), status: 'D'.repeat(9) }
    const after = { period: new Date(0), group: ['E'.repeat(9)] }
    const statements = Array.from(
      buildUsageStatements({ ...everything, granularity: 'day', groupBy: ['model'], filter }, { limit: 1, after }),
    )
    assert.ok(statements.length > 1)
    for (const { text } of statements) assert.doesNotMatch(text, /([A-E])\1{8}/)
  },
})
