import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { DenialCount } from '../../src/domain/denial-count.ts'
import {
  type DenialQuery,
  type DenialRow,
  deleteDenialsBefore,
  insertDenials,
  queryDenials,
} from '../../src/store/usage-denials.ts'
import { isPoison } from '../../src/store/usage-events.ts'
import { conform } from '../support/conformance.ts'
import { allTime } from '../support/usage.ts'
import { accounts } from '../support/usage-model.ts'

const [first = '', second = ''] = accounts
const at = (time: string) => Date.parse(`${time}:00Z`)
const count = (time: string, changes: Partial<DenialCount> = {}): DenialCount => ({
  ...{ id: randomUUID(), minuteMs: at(time), accountId: first, keyId: null, tier: 'free' },
  ...{ limit: 'requests_per_minute', of: 'account', denials: 1 },
  ...changes,
})
const everything: DenialQuery = { range: allTime, granularity: 'none', groupBy: [], filter: {} }
const timeoutMs = 5000

conform('denials', {
  'each count is added once, however often it is written': async sql => {
    const counts = [count('2026-02-01T10:01', { denials: 3 }), count('2026-02-01T10:01', { denials: 4 })]
    await insertDenials(sql, counts.slice(0, 1), timeoutMs)
    await insertDenials(sql, counts, timeoutMs)
    await Promise.all([insertDenials(sql, counts, timeoutMs), insertDenials(sql, counts, timeoutMs)])
    const rows = await queryDenials(sql, everything, { limit: 10, after: null })
    assert.deepEqual(rows, [{ period: null, group: [], denials: 7n }])
  },

  'sums are by the minute, hour or day, by groups and filters, page by page': async sql => {
    const counts = [
      count('2026-02-01T10:01', { denials: 1 }),
      count('2026-02-01T10:01', { denials: 2, keyId: 'k1' }),
      count('2026-02-01T10:59', { denials: 4, keyId: 'k1', limit: 'tokens_per_day' }),
      count('2026-02-01T11:00', { denials: 8, keyId: 'k1', of: 'key' }),
      count('2026-02-02T00:00', { denials: 16, accountId: second, tier: 'gold' }),
    ]
    await insertDenials(sql, counts, timeoutMs)
    const read = async (changes: Partial<DenialQuery>) => {
      const query = { ...everything, ...changes }
      const whole = await queryDenials(sql, query, { limit: 100, after: null })
      // Page by page they are the same.
      const rows: DenialRow[] = []
      for (let isLast = false; !isLast; ) {
        const after = rows.at(-1) ?? null
        const page = await queryDenials(sql, query, { limit: 1, after })
        rows.push(...page)
        isLast = page.length === 0 || (query.granularity === 'none' && query.groupBy.length === 0)
      }
      assert.deepEqual(rows, whole)
      return whole.map(({ period, group, denials }) => [period?.toISOString().slice(0, 16) ?? '', ...group, denials])
    }
    assert.deepEqual(await read({}), [['', 31n]])
    assert.deepEqual(await read({ granularity: 'minute' }), [
      ['2026-02-01T10:01', 3n],
      ['2026-02-01T10:59', 4n],
      ['2026-02-01T11:00', 8n],
      ['2026-02-02T00:00', 16n],
    ])
    assert.deepEqual(await read({ granularity: 'hour', groupBy: ['key'] }), [
      ['2026-02-01T10:00', null, 1n],
      ['2026-02-01T10:00', 'k1', 6n],
      ['2026-02-01T11:00', 'k1', 8n],
      ['2026-02-02T00:00', null, 16n],
    ])
    assert.deepEqual(await read({ granularity: 'day', groupBy: ['account', 'of'] }), [
      ['2026-02-01T00:00', first, 'account', 7n],
      ['2026-02-01T00:00', first, 'key', 8n],
      ['2026-02-02T00:00', second, 'account', 16n],
    ])
    assert.deepEqual(await read({ groupBy: ['tier', 'limit_name'] }), [
      ['', 'free', 'requests_per_minute', 11n],
      ['', 'free', 'tokens_per_day', 4n],
      ['', 'gold', 'requests_per_minute', 16n],
    ])
    const range = { fromMs: at('2026-02-01T10:59'), untilMs: at('2026-02-01T11:00') }
    assert.deepEqual(await read({ range }), [['', 4n]])
    assert.deepEqual(await read({ filter: { account: first, key: 'k1', of: 'account' } }), [['', 6n]])
    assert.deepEqual(await read({ filter: { tier: 'gold', limit_name: 'requests_per_minute' } }), [['', 16n]])
    assert.deepEqual(await read({ filter: { tier: 'none' } }), [])
  },

  'old ones are deleted': async sql => {
    await insertDenials(sql, [count('2026-01-31T23:59'), count('2026-02-01T00:00')], timeoutMs)
    await deleteDenialsBefore(sql, new Date(at('2026-02-01T00:00')))
    const rows = await queryDenials(sql, { ...everything, granularity: 'minute' }, { limit: 10, after: null })
    assert.deepEqual(
      rows.map(({ period }) => period?.getTime()),
      [at('2026-02-01T00:00')],
    )
  },

  'many old ones are deleted piece by piece': async sql => {
    await sql.unsafe(`
      create table deleted_at_once (rows bigint);
      create function note_deleted() returns trigger language plpgsql as $$
      begin
        insert into deleted_at_once select count(*) from gone;
        return null;
      end $$;
      create trigger note after delete on usage_denials referencing old table as gone
        for each statement execute function note_deleted();
      insert into usage_denials select '2026-01-01', gen_random_uuid(), '${first}', 1, null, 'free', 'requests_per_day', 'key'
      from generate_series(1, 20500)`)
    await insertDenials(sql, [count('2026-02-01T00:00')], timeoutMs)
    await deleteDenialsBefore(sql, new Date(at('2026-02-01T00:00')))
    const pieces = await sql<{ rows: number }[]>`select rows::integer from deleted_at_once`
    await sql`drop trigger note on usage_denials`
    assert.deepEqual(
      pieces.map(({ rows }) => rows),
      [10_000, 10_000, 500],
    )
    const rows = await queryDenials(sql, everything, { limit: 10, after: null })
    assert.deepEqual(rows, [{ period: null, group: [], denials: 1n }])
  },

  'what can never be stored is told from what can be tried again': async sql => {
    const wrong = [count('2026-02-01T10:01', { tier: 'x'.repeat(64) }), count('2026-02-01T10:01', { denials: 0 })]
    for (const one of wrong) {
      await assert.rejects(insertDenials(sql, [count('2026-02-01T10:02'), one], timeoutMs), isPoison)
    }
    assert.deepEqual(await queryDenials(sql, everything, { limit: 10, after: null }), [])
  },
})
