import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Sql } from 'postgres'
import type { UsageLine } from '../../../src/domain/invoice.ts'
import { costOf, type Price, parsePrice, priceAt } from '../../../src/domain/price.ts'
import type { UsageEvent } from '../../../src/domain/usage-event.ts'
import { insertCredit } from '../../../src/store/billing-credits.ts'
import { closeMonth, findClosedMonth, getNextMonth } from '../../../src/store/billing-months.ts'
import type { InvoiceRow } from '../../../src/store/invoice-lines.ts'
import { recordPriceVersions } from '../../../src/store/price-versions.ts'
import { insertUsageEvents } from '../../../src/store/usage-events.ts'
import { queryUsage } from '../../../src/store/usage-sums.ts'
import { emptyBilling, makeCredit, readLines, sumOf } from '../../support/billing.ts'
import { author, empty } from '../../support/conformance.ts'
import { databaseKinds, openTestDatabase } from '../../support/databases.ts'
import { allTime } from '../../support/usage.ts'
import { accounts, addUpBy, anyUsageEvent } from '../../support/usage-model.ts'

const months = ['2025-11', '2025-12', '2026-01'].map(month => Date.parse(`${month}-01`))
const untilMs = Date.parse('2026-02-01')
const nowMs = untilMs - 1

/** One whose price changes in mid-month, one that is paid by the second, and one without a price at first. */
const priceList: Readonly<Record<string, readonly Price[]>> = {
  small: [
    parsePrice('small', { from: '2025-01-01', input: '0.15', cachedInput: '0.075', output: '0.6' }),
    parsePrice('small', { from: '2025-12-14', input: '0.2', output: '0.8' }),
  ],
  large: [parsePrice('large', { from: '2025-11-20', perSecond: '0.01' })],
  free: [],
}

const anyPricedEvent: fc.Arbitrary<UsageEvent> = fc
  .tuple(
    anyUsageEvent,
    fc.constantFrom(...Object.keys(priceList)),
    fc.oneof(
      fc.integer({ min: months[0] ?? 0, max: untilMs - 1 }),
      fc.constantFrom(...months, ...months.map(ms => ms - 1)),
    ),
  )
  .map(([event, model, someMs]) => {
    const atMs = Math.max(someMs, months[0] ?? 0)
    const price = priceAt(priceList[model] ?? [], atMs)
    const use = { ...event, durationMs: event.backendMs }
    const hex = atMs.toString(16).padStart(12, '0')
    const id = `${hex.slice(0, 8)}-${hex.slice(8)}${event.id.slice(13)}`
    return { ...event, id, atMs, model, priceVersion: price?.version ?? null, costNanoUsd: costOf(price, use) }
  })

type Step =
  | { readonly kind: 'events'; readonly events: readonly UsageEvent[] }
  | { readonly kind: 'credit'; readonly accountId: string; readonly amountNanoUsd: number }
  | { readonly kind: 'close' }

const anySteps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('events' as const),
        events: fc.array(anyPricedEvent, { maxLength: 12 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('credit' as const),
        accountId: fc.constantFrom(...accounts),
        amountNanoUsd: fc.integer({ min: 1, max: 9_000_000_000_000_000 }),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: 'close' as const }) },
  ),
  { minLength: 4, maxLength: 8 },
)

const seriesKey = (line: Pick<UsageLine, 'model' | 'priceVersion' | 'monthMs'>, accountId: string) =>
  [accountId, new Date(line.monthMs).toISOString().slice(0, 7), line.model, line.priceVersion ?? ''].join(' ')

/** What lines bill, added up by whose and what it was; those of a closed month that are late are of the same month's usage. */
function billedBy(rows: readonly InvoiceRow[]) {
  const billed = new Map<string, readonly bigint[]>()
  for (const { head, line } of rows) {
    if (line.kind !== 'usage') continue
    const { use, amountNanoUsd } = line
    const key = seriesKey(line, head.accountId)
    const values = [
      use.requests,
      use.estimated,
      use.inputTokens,
      use.cachedInputTokens,
      use.outputTokens,
      use.backendUs,
    ]
    const before = billed.get(key) ?? []
    billed.set(
      key,
      [...values, amountNanoUsd].map((value, index) => value + (before[index] ?? 0n)),
    )
  }
  return new Map([...billed].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function billOf(events: readonly UsageEvent[]) {
  const keyOf = ({ atMs, ...event }: UsageEvent) => seriesKey({ ...event, monthMs: atMs }, event.accountId)
  const sums = addUpBy(events, keyOf)
  return new Map(
    [...sums].map(([key, use]) => [
      key,
      [
        use.requests,
        use.estimated,
        use.inputTokens,
        use.cachedInputTokens,
        use.outputTokens,
        use.backendUs,
        use.costNanoUsd,
      ],
    ]),
  )
}

async function costBy(sql: Sql, dimension: 'key' | 'account' | 'model'): Promise<bigint> {
  const query = { range: allTime, granularity: 'none', groupBy: [dimension], filter: {} } as const
  const rows = await queryUsage(sql, query, { limit: 1000, after: null })
  return rows.reduce((sum, { sums }) => sum + sums.costNanoUsd, 0n)
}

/** A database that steps are taken on, and what has to be in it. */
class World {
  readonly #sql: Sql
  readonly events = new Map<string, UsageEvent>()
  readonly credits: bigint[] = []
  /** By month, as they were when it was closed. */
  readonly closed = new Map<number, readonly InvoiceRow[]>()

  constructor(sql: Sql) {
    this.#sql = sql
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'events':
        for (const event of step.events) this.events.set(event.id, event)
        return void (await insertUsageEvents(this.#sql, step.events, 5000))
      case 'credit':
        this.credits.push(BigInt(step.amountNanoUsd))
        return void (await insertCredit(this.#sql, makeCredit(step.accountId, step), author))
      case 'close':
        return await this.close()
    }
  }

  async close(): Promise<void> {
    const monthMs = await getNextMonth(this.#sql, nowMs)
    if (monthMs >= untilMs) return
    const draft = await readLines(this.#sql, { monthMs, nowMs })
    assert.equal(await closeMonth(this.#sql, { monthMs, nowMs }, author), 'done')
    const lines = await readLines(this.#sql, { monthMs, nowMs }, 2)
    // What was shown is what is written down.
    const bare = (rows: readonly InvoiceRow[]) =>
      rows.map(({ head: { state: _, ...head }, ...row }) => ({ head, ...row }))
    assert.deepEqual(bare(lines), bare(draft))
    this.closed.set(monthMs, lines)
    const summary = await findClosedMonth(this.#sql, monthMs)
    assert.deepEqual([summary?.lines, summary?.totalNanoUsd], [lines.length, sumOf(lines.map(({ line }) => line))])
  }

  /** All invoices together, drafts too, are the events, whatever was closed when. */
  async check(): Promise<void> {
    const nextMs = await getNextMonth(this.#sql, nowMs)
    const open = await Promise.all(
      [...months, untilMs].filter(ms => ms >= nextMs).map(ms => readLines(this.#sql, { monthMs: ms, nowMs })),
    )
    for (const [monthMs, lines] of this.closed) assert.deepEqual(await readLines(this.#sql, { monthMs, nowMs }), lines)
    const rows = [...this.closed.values(), ...open].flat()
    const events = [...this.events.values()]
    assert.deepEqual(billedBy(rows), billOf(events))
    const cost = events.reduce((sum, { costNanoUsd }) => sum + BigInt(costNanoUsd), 0n)
    const credited = this.credits.reduce((sum, amount) => sum + amount, 0n)
    assert.equal(sumOf(rows.map(({ line }) => line)), cost - credited)
    for (const dimension of ['key', 'account', 'model'] as const) assert.equal(await costBy(this.#sql, dimension), cost)
    const heads = new Map(rows.map(({ head }) => [`${head.monthMs} ${head.accountId}`, head]))
    assert.equal(
      heads.values().reduce((sum, { totalNanoUsd }) => sum + totalNanoUsd, 0n),
      cost - credited,
    )
    const unpriced = events.filter(({ priceVersion }) => priceVersion === null).length
    assert.equal(
      heads.values().reduce((sum, { unpricedRequests }) => sum + unpricedRequests, 0n),
      BigInt(unpriced),
    )
  }
}

for (const kind of databaseKinds) {
  test(`P13 a month by key, by account and by model is the sum of its events and of its invoices, on ${kind}`, async t => {
    const sql = await openTestDatabase(t, kind)
    const check = fc.asyncProperty(anySteps, async steps => {
      await emptyBilling(sql)
      await empty(sql)
      for (const id of accounts)
        await sql`insert into accounts (id, name, tier) values (${id}, ${id.slice(0, 8)}, 'free')`
      const prices = Object.entries(priceList).flatMap(([model, list]) =>
        list.map(({ version, fromMs, ...price }) => ({
          version,
          model,
          target: null,
          price,
          effectiveFrom: new Date(fromMs),
        })),
      )
      await recordPriceVersions(sql, prices)
      const world = new World(sql)
      for (const step of steps) {
        await world.take(step)
        // In one process with its database that takes too long.
        if (kind === 'PostgreSQL') await world.check()
      }
      while ((await getNextMonth(sql, nowMs)) < untilMs) await world.close()
      await world.check()
    })
    await fc.assert(check, { numRuns: kind === 'embedded' ? 2 : 10 })
  })
}
