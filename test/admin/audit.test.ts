import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Actor } from '../../src/admin/actor.ts'
import { buildOperations, type Operations } from '../../src/admin/operations.ts'
import { WeirError } from '../../src/errors.ts'
import type { AuditEntryView } from '../../src/schemas/admin/audit.ts'
import { configOf } from '../support/config.ts'
import { openTestDatabase } from '../support/databases.ts'
import { peppersOf } from '../support/peppers.ts'

const actor: Actor = { kind: 'command' }
const once = <Body>(body: Body) => ({ body, idempotencyKey: null })

type Step = (operations: Operations, world: World) => Promise<unknown>

/** What has been made so far. */
interface World {
  readonly accounts: string[]
  readonly keys: string[]
}

/** One of the newest: the older ones have been deleted and revoked by now. */
const pick = (ids: readonly string[], n: number) => ids.at(-1 - (n % Math.min(ids.length, 4))) ?? 'nobody'
const nameArb = fc.stringMatching(/^[a-d]{1,3}$/)
const nArb = fc.nat({ max: 20 })
const identityArb = fc.subarray(['x', 'y', 'z']).map(list => list.map(subject => ({ issuer: 'https://i', subject })))

const stepArb: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(nameArb, identityArb).map(
    ([name, identities]): Step =>
      async (operations, { accounts }) => {
        const made = await operations.createAccount(actor, once({ name, identities }))
        accounts.push(made.record.id)
      },
  ),
  fc
    .tuple(
      nArb,
      fc.record(
        {
          name: nameArb,
          tier: fc.constantFrom('free', 'premium', 'gold'),
          status: fc.constantFrom('active' as const, 'suspended' as const),
          limits: fc.constantFrom(null, { requests_per_minute: 5 }),
          identities: identityArb,
          metadata: fc.constantFrom({}, { a: '1' }),
        },
        { requiredKeys: [] },
      ),
    )
    .map(
      ([n, changes]): Step =>
        (operations, { accounts }) =>
          operations.updateAccount(actor, { account: pick(accounts, n), changes }),
    ),
  nArb.map(
    (n): Step =>
      (operations, { accounts }) =>
        operations.deleteAccount(actor, { account: pick(accounts, n) }),
  ),
  nArb.map(
    (n): Step =>
      async (operations, { accounts, keys }) => {
        keys.push((await operations.createKey(actor, once({ account: pick(accounts, n) }))).record.id)
      },
  ),
  fc
    .tuple(
      nArb,
      fc.constantFrom({ name: 'n' }, { scopes: ['chat' as const] }, { models: null }, { metadata: { b: '2' } }),
    )
    .map(
      ([n, changes]): Step =>
        (operations, { keys }) =>
          operations.updateKey(actor, { id: pick(keys, n), changes }),
    ),
  fc.tuple(nArb, fc.constantFrom(0, 60)).map(
    ([n, grace_seconds]): Step =>
      async (operations, { keys }) => {
        keys.push((await operations.rotateKey(actor, { id: pick(keys, n), ...once({ grace_seconds }) })).record.id)
      },
  ),
  nArb.map(
    (n): Step =>
      (operations, { keys }) =>
        operations.revokeKey(actor, { id: pick(keys, n) }),
  ),
)

async function readLog(operations: Operations): Promise<readonly AuditEntryView[]> {
  const entries: AuditEntryView[] = []
  for (let cursor: string | null = null; ; ) {
    const page: Awaited<ReturnType<Operations['listAudit']>> = await operations.listAudit({
      limit: 100,
      ...(cursor !== null && { cursor }),
    })
    entries.push(...page.data)
    cursor = page.next_cursor
    if (cursor === null) return entries.reverse()
  }
}

/** What a record's last entry has to say of it. */
async function snapshotOf(operations: Operations, kind: string, id: string): Promise<object> {
  if (kind === 'account') return await operations.getAccount({ account: id })
  const { tier: _tier, status: _status, last_used_at: _used, ...key } = await operations.getKey({ id })
  return { ...key, account: key.account.id }
}

async function checkLog(operations: Operations): Promise<number> {
  const entries = await readLog(operations)
  const targets = Map.groupBy(entries, ({ target }) => `${target.kind} ${target.id}`)
  for (const [target, chain] of targets) {
    const [kind = '', id = ''] = target.split(' ')
    const first = chain[0]
    // The default account was there before the log.
    assert.deepEqual(first?.before, null, target)
    assert.equal(first?.action, `${kind}.create`)
    for (const [index, { before, after, actor: by }] of chain.entries()) {
      if (index > 0) assert.deepEqual(before, chain[index - 1]?.after, `${target}, entry ${index}`)
      assert.notDeepEqual(after, before)
      assert.equal(by.kind, 'command')
    }
    assert.deepEqual(chain.at(-1)?.after, await snapshotOf(operations, kind, id), target)
  }
  return entries.length
}

for (const isParallel of [false, true]) {
  const how = isParallel ? 'at once' : 'one after the other'
  test(`whatever is done ${how}, the log has each change once, from what was before to what is now`, async t => {
    const sql = await openTestDatabase(t, 'PostgreSQL')
    const peppers = peppersOf('a pepper that is long enough for tests')
    const operations = buildOperations({ sql, peppers, tiers: () => configOf({}).tiers, announceChange: () => {} })
    const world: World = { accounts: [], keys: [] }
    const refused = (error: unknown) => assert.ok(error instanceof WeirError && error.statusCode < 500, String(error))
    await fc.assert(
      fc.asyncProperty(fc.array(stepArb, { minLength: 4, maxLength: 12, size: 'max' }), async steps => {
        const { record } = await operations.createAccount(actor, once({ name: `of run ${world.accounts.length}` }))
        world.accounts.push(record.id)
        world.keys.push((await operations.createKey(actor, once({ account: record.id }))).record.id)
        const before = await checkLog(operations)
        if (isParallel) await Promise.all(steps.map(step => step(operations, world).catch(refused)))
        else for (const step of steps) await step(operations, world).catch(refused)
        assert.ok((await checkLog(operations)) >= before)
        // Every record that is there has its entries: none was made past the log.
        const [missing] = await sql`
          select count(*)::int as n from (
            select id::text from accounts where id::text not like '00000000-%' union all select public_id from api_keys
          ) as record where not exists (select from audit_log where target_id = record.id)`
        assert.equal(missing?.['n'], 0)
      }),
      { numRuns: 25, endOnFailure: true },
    )
    const actions = new Set((await readLog(operations)).map(({ action }) => action))
    assert.equal(actions.size, 7, `only ${[...actions]}`)
  })
}
