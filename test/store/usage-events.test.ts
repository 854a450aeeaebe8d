import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { Sql } from 'postgres'
import { makeTimeOrderedId } from '../../src/domain/time-ordered-id.ts'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { openDatabase } from '../../src/store/database.ts'
import { insertUsageEvents, isPoison } from '../../src/store/usage-events.ts'
import { listUsageEvents } from '../../src/store/usage-listing.ts'
import { onEnd } from '../support/cleanup.ts'
import { conform } from '../support/conformance.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { anyEvent, makeUsageEvent } from '../support/usage.ts'

const stored = (sql: Sql) => listUsageEvents(sql, anyEvent, { limit: 1000, before: null })
const requestsByHour = async (sql: Sql) =>
  (await sql`select sum(requests)::int as requests from usage_hourly group by period order by period`).map(
    ({ requests }) => requests,
  )

const lone = String.fromCharCode(0xd800)
const yearsAheadMs = Date.now() + 800 * 86_400_000
const poison: readonly (readonly [string, Partial<UsageEvent>])[] = [
  ['a NUL', { model: 'a\0b' }],
  ['a lone surrogate', { tier: lone }],
  ['a lone surrogate in an attempt', { attempts: [{ backend: lone, model: 'm', fault: 'reset' }] }],
  ['a cost that is no number', { costNanoUsd: Number.NaN }],
  ['endless tokens', { inputTokens: Number.POSITIVE_INFINITY }],
  ['half a token', { outputTokens: 0.5 }],
  ['less than no tokens', { cachedInputTokens: -1 }],
  ['more tokens than a number holds exactly', { reasoningTokens: 2 ** 53 }],
  ['more than a bigint', { costNanoUsd: 1e21 }],
  ['a time that is no number', { atMs: Number.NaN, id: randomUUID() }],
  ['a time that no calendar has', { atMs: 8.64e15, id: randomUUID() }],
  ['a time before there was a Weir', { atMs: 1000, id: makeTimeOrderedId(1000) }],
  ['a time years ahead', { atMs: yearsAheadMs, id: makeTimeOrderedId(yearsAheadMs) }],
  ['an id of another time', { id: makeTimeOrderedId(Date.parse('2026-03-14')) }],
  ['an id that is none', { id: 'evt_1' }],
  ['a status that is none', { status: 'great' as UsageEvent['status'] }],
  ['an endpoint that is none', { endpoint: 'images' as UsageEvent['endpoint'] }],
  ['a name without letters', { model: '' }],
  ['a name without end', { backend: 'b'.repeat(3000) }],
  ['a duration of months', { totalMs: 2 ** 33 }],
]

conform('usage events', {
  'are read as they were written, whatever of them is absent': async sql => {
    const failed = { backend: 'one', model: 'small-q4', fault: 'reset' }
    const absent = {
      keyId: null,
      answeredModel: null,
      backend: null,
      target: null,
      priceVersion: null,
      firstTokenMs: null,
    }
    const events = [
      makeUsageEvent(),
      makeUsageEvent({ experiment: 'x', arm: 'b', reasoningTokens: 7, isEstimate: true, isStream: false }),
      makeUsageEvent({
        attempts: [failed, { backend: 'two', model: 'large-q4', fault: null }],
        backend: 'two',
        target: 'large-q4',
      }),
      makeUsageEvent({ ...absent, attempts: [failed], status: 'error', error: 'backend_failed' }),
      makeUsageEvent({ ...absent, attempts: [], status: 'cache_hit' }),
      makeUsageEvent({ attempts: [failed], status: 'partial', error: 'incomplete' }),
      makeUsageEvent({ model: 'modèle 🚀 "quoted" \\u0000', status: 'client_cancel', endpoint: 'embeddings' }),
      makeUsageEvent({ inputTokens: 2 ** 31, outputTokens: 2 ** 53 - 1, costNanoUsd: 2 ** 53 - 1, status: 'unknown' }),
    ]
    assert.equal(await insertUsageEvents(sql, events, 5000), events.length)
    const byId = (a: UsageEvent, b: UsageEvent) => (a.id < b.id ? 1 : -1)
    assert.deepEqual(await stored(sql), events.toSorted(byId))
    const [row] = await sql`select count(attempts)::int as told from usage_events`
    assert.equal(row?.['told'], 3)
  },

  'that are there already change nothing, in the same batch or a later one': async sql => {
    const [one, two, three] = [makeUsageEvent(), makeUsageEvent(), makeUsageEvent()]
    assert.equal(await insertUsageEvents(sql, [one, two, one], 5000), 2)
    assert.equal(await insertUsageEvents(sql, [two, one], 5000), 0)
    assert.equal(await insertUsageEvents(sql, [two, three], 5000), 1)
    assert.equal(await insertUsageEvents(sql, [], 5000), 0)
    assert.deepEqual(await requestsByHour(sql), [3])
  },

  'of any month find their partition, before and after those there are, to the millisecond': async sql => {
    const times = [
      '2020-01-01T00:00:00.000Z',
      '2024-02-28T23:59:59.999Z',
      '2024-02-29T00:00:00.000Z',
      '2024-02-29T23:59:59.999Z',
      '2024-03-01T00:00:00.000Z',
      '2025-12-31T23:59:59.999Z',
      '2026-01-01T00:00:00.000Z',
    ]
    const events = times.map(time => makeUsageEvent({ atMs: Date.parse(time) }))
    assert.equal(await insertUsageEvents(sql, events, 5000), events.length)
    const rows = await sql`select tableoid::regclass::text as name, to_json(array_agg(at order by at)) as times
                           from usage_events group by tableoid order by 1`
    const names = rows.map(({ name }) => name)
    assert.deepEqual(
      names,
      ['2020_01', '2024_02', '2024_03', '2025_12', '2026_01'].map(month => `usage_events_${month}`),
    )
    const february = ((rows[1]?.['times'] ?? []) as string[]).map(time => new Date(time).toISOString())
    assert.deepEqual(february, times.slice(1, 4))
    const days = await sql`select period, requests::int from usage_daily order by period`
    assert.deepEqual(
      days.map(({ period, requests }) => [period.toISOString().slice(0, 10), requests]),
      [
        ['2020-01-01', 1],
        ['2024-02-28', 1],
        ['2024-02-29', 2],
        ['2024-03-01', 1],
        ['2025-12-31', 1],
        ['2026-01-01', 1],
      ],
    )
  },

  'P05 with what no database takes are refused with the whole batch, and named by halving it': async sql => {
    const good = Array.from({ length: 8 }, () => makeUsageEvent())
    await insertUsageEvents(sql, good.slice(0, 1), 5000)
    for (const [what, changes] of poison) {
      const bad = { ...makeUsageEvent(), ...changes }
      const isRefused = await insertUsageEvents(sql, [...good.slice(0, 5), bad, ...good.slice(5)], 5000).then(
        () => false,
        error => isPoison(error) || assert.fail(`${what}: ${error.code} ${error.message}`),
      )
      assert.ok(isRefused, what)
      assert.equal((await stored(sql)).length, 1, what)
    }
    const quarantined: UsageEvent[] = []
    const insert = async (events: readonly UsageEvent[]): Promise<void> => {
      try {
        await insertUsageEvents(sql, events, 5000)
      } catch (error) {
        assert.ok(isPoison(error))
        if (events.length === 1) return void quarantined.push(...events)
        const middle = events.length >> 1
        await insert(events.slice(0, middle))
        await insert(events.slice(middle))
      }
    }
    const bad = poison.map(([, changes]) => ({ ...makeUsageEvent(), ...changes }))
    await insert(good.flatMap((event, index) => [event, ...bad.slice(index * 3, index * 3 + 3)]))
    assert.deepEqual(quarantined, bad)
    assert.equal((await stored(sql)).length, good.length)
    assert.deepEqual(await requestsByHour(sql), [good.length])
  },
})

test('P10 what is no fault of the events is to be tried again', async t => {
  const server = await startPostgres(t)
  const database = await openDatabase({ dataDir: makeTempDir(t), databaseUrl: server.url })
  onEnd(t, () => database.close())
  const { sql } = database
  for (const state of [
    '40001',
    '40P01',
    '57P01',
    '57P03',
    '57014',
    '53300',
    '53100',
    '08006',
    '42P01',
    '55P03',
    'XX000',
  ]) {
    const thrown = await sql
      .unsafe(`do $$ begin raise exception 'as asked' using errcode = '${state}'; end $$`)
      .catch(e => e)
    assert.deepEqual([thrown.code, isPoison(thrown)], [state, false])
  }
  // There is no table yet, and then no server.
  const events = [makeUsageEvent()]
  await assert.rejects(insertUsageEvents(sql, events, 5000), error => !isPoison(error))
  await server.kill()
  await assert.rejects(insertUsageEvents(sql, events, 2000), error => !isPoison(error))
})
