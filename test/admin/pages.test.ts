import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { buildOperations } from '../../src/admin/operations.ts'
import type { Page } from '../../src/schemas/admin/list.ts'
import { configOf } from '../support/config.ts'
import { openTestDatabase } from '../support/databases.ts'
import { commandsOf } from '../support/keys.ts'
import { peppersOf } from '../support/peppers.ts'

async function build(t: TestContext) {
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const peppers = peppersOf('a pepper that is long enough for tests')
  const operations = buildOperations({ sql, peppers, tiers: () => configOf({}).tiers, announceChange: () => {} })
  return { operations, commands: commandsOf(operations) }
}

type Read = (page: { limit: number; cursor?: string }) => Promise<Page<{ readonly id: string }>>

/** All ids in the order of the pages; `between` is done after each. */
async function walk(read: Read, limits: readonly number[], between: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = []
  for (let cursor: string | null = null, turn = 0; ; turn++) {
    const limit = limits[turn % limits.length] ?? 1
    const page: Page<{ readonly id: string }> = await read({ limit, ...(cursor !== null && { cursor }) })
    assert.ok(page.data.length <= limit)
    assert.equal(page.has_more, page.next_cursor !== null)
    if (page.has_more) assert.equal(page.data.length, limit)
    seen.push(...page.data.map(({ id }) => id))
    cursor = page.next_cursor
    if (cursor === null) return seen
    await between()
  }
}

test('who goes through the pages sees what was there exactly once, whatever is added meanwhile', async t => {
  const { operations, commands } = await build(t)
  let count = 0
  const add = async () => {
    await commands.createAccount({ name: `n${count++}` })
    await commands.createKey({ account: 'n0' })
  }
  for (let index = 0; index < 12; index++) await add()
  const lists: Record<string, Read> = {
    accounts: page => operations.listAccounts(page),
    keys: page => operations.listKeys(page),
    audit: page => operations.listAudit(page),
    'accounts of a tier': page => operations.listAccounts({ ...page, tier: 'free' }),
    'keys of an account': page => operations.listKeys({ ...page, account: 'n0', status: 'active' }),
    'one kind of change': page => operations.listAudit({ ...page, action: 'key.create' }),
  }
  const limitsArb = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.keys(lists)), limitsArb, async (name, limits) => {
      const read = lists[name]
      assert.ok(read)
      const before = await walk(read, [100], async () => {})
      let added = 0
      const seen = await walk(read, limits, async () => (added++ < 3 ? add() : undefined))
      assert.deepEqual(seen, before)
    }),
    { numRuns: 25 },
  )
})

test('what is deleted meanwhile takes nothing else out of the pages', async t => {
  const { operations, commands } = await build(t)
  for (let index = 0; index < 10; index++) await commands.createAccount({ name: `n${index}` })
  const before = await walk(
    page => operations.listAccounts(page),
    [100],
    async () => {},
  )
  let next = 9
  // The newest, which has been seen.
  const seen = await walk(
    page => operations.listAccounts(page),
    [3],
    async () => {
      await commands.deleteAccount({ account: `n${next--}` })
    },
  )
  assert.deepEqual(seen, before)
})

test('a cursor that no page has given is refused', async t => {
  const { operations } = await build(t)
  const texts = [
    '',
    '1',
    '1.x',
    `99999999999999.${'0'.repeat(16)}`,
    `1600000000000.${'-'.repeat(16)}`,
    "' or 1=1 --",
    '\u0000',
  ]
  const encoded = texts.map(text => Buffer.from(text).toString('base64url'))
  for (const cursor of [...encoded, '%', 'ü', '01890000-0000-7000-8000-000000000000']) {
    const ofNobody = operations.listKeys({ account: 'unknown', cursor })
    await assert.rejects(ofNobody, { kind: 'invalidRequest', param: 'cursor' })
    for (const list of [operations.listAccounts, operations.listKeys, operations.listAudit]) {
      await assert.rejects(list({ cursor }), { kind: 'invalidRequest', param: 'cursor' })
    }
  }
})
