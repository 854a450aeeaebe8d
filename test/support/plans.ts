/** What the statements of a store read, by what the database says of the plans it makes for them. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import postgres, { type Sql } from 'postgres'
import { onEnd } from './cleanup.ts'
import { createMigratedDatabase } from './services.ts'

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly PlanNode[]
}

interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** A database of its own, and how many rows of a table the last statement of a call has read. */
export async function openPlanned(t: TestContext) {
  const said: Statement[] = []
  const sql = postgres(await createMigratedDatabase(t), {
    max: 1,
    fetch_types: false,
    onnotice: () => {},
    debug: (_connection, text, values) => {
      said.push({ text, values })
    },
  })
  onEnd(t, () => sql.end({ timeout: 1 }))
  const rowsRead = async (call: () => Promise<unknown>): Promise<(table: string) => number> => {
    await call()
    const statement = said.at(-1) ?? assert.fail('nothing was said')
    const plan = await explain(sql, statement)
    return table => readOf(plan, table)
  }
  return { sql, rowsRead }
}

/** As the server plans it without knowing its parameters, which is what it does with those that are asked often. */
async function explain(sql: Sql, { text, values }: Statement): Promise<PlanNode> {
  await sql.unsafe(`set plan_cache_mode = force_generic_plan; prepare planned as ${text}`)
  const list = values.length === 0 ? '' : `(${values.map(literal).join(', ')})`
  const [row] = await sql.unsafe<[{ 'QUERY PLAN': [{ Plan: PlanNode }] }]>(
    `explain (analyze, format json) execute planned${list}`,
  )
  await sql.unsafe('reset plan_cache_mode; deallocate planned')
  return row['QUERY PLAN'][0].Plan
}

function literal(value: unknown): string {
  if (value === null) return 'null'
  if (value instanceof Date) return `'${value.toISOString()}'`
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return `'${text.replaceAll("'", "''")}'`
}

function readOf(node: PlanNode, table: string): number {
  const below = (node.Plans ?? []).reduce((sum, child) => sum + readOf(child, table), 0)
  // What changes a table has its name as well.
  if (node['Relation Name']?.startsWith(table) !== true || !node['Node Type'].endsWith('Scan')) return below
  const rows =
    node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)
  return below + rows * node['Actual Loops']
}
