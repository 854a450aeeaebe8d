/** The ledger of a gateway, and what its API says of it. */
import assert from 'node:assert/strict'
import type { AdminClient } from './admin.ts'
import { eventually } from './eventually.ts'
import type { Gateway } from './gateway.ts'

export type Row = Readonly<Record<string, string | number | boolean | null>>

export interface ListOf<Item> {
  readonly data: readonly Item[]
  readonly has_more: boolean
  readonly next_cursor: string | null
}

/** Until the ledger has told the database of so many requests, those that have only just ended among them. */
export async function untilStored({ app }: Gateway, admin: AdminClient, requests: number): Promise<void> {
  await eventually(`${requests} requests are stored`, async () => {
    await app.ledger.flush(1000)
    const { data } = await admin.get<ListOf<Row>>('GET', '/usage?granularity=none&from=2020-01-01')
    assert.equal(data[0]?.['requests'] ?? 0, requests)
    return true
  })
}

/** All rows of a list, so many a page. */
export async function walk<Item>(admin: AdminClient, path: string, limit: number): Promise<readonly Item[]> {
  const rows: Item[] = []
  for (let cursor: string | null = null; ; ) {
    const more: string = cursor === null ? '' : `&cursor=${cursor}`
    const page: ListOf<Item> = await admin.get('GET', `${path}&limit=${limit}${more}`)
    assert.ok(page.data.length <= limit)
    assert.equal(page.has_more, page.next_cursor !== null)
    if (page.has_more) assert.equal(page.data.length, limit)
    rows.push(...page.data)
    cursor = page.next_cursor
    if (cursor === null) return rows
  }
}

/** Some of the fields of rows, in their order. */
export const pick = (rows: readonly Row[], ...names: readonly string[]) => rows.map(row => names.map(name => row[name]))

/** Rows and cells, by the letter of RFC 4180. */
export function parseCsv(text: string): string[][] {
  assert.ok(text.endsWith('\r\n'))
  const rows: string[][] = [[]]
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain)
    if (end === '\r\n') rows.push([])
  }
  assert.deepEqual(rows.pop(), [])
  return rows
}
