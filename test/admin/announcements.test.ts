import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sql } from 'postgres'
import { buildOperations } from '../../src/admin/operations.ts'
import type { Change } from '../../src/domain/change.ts'
import { DatabaseUnavailableError } from '../../src/store/deadline.ts'
import { configOf } from '../support/config.ts'
import { openTestDatabase } from '../support/databases.ts'
import { peppersOf } from '../support/peppers.ts'

const actor = { kind: 'command' } as const
const once = <Body>(body: Body) => ({ body, idempotencyKey: 'once' })

/** Statements that write are done, but their answers are lost while `isLossy`. */
function losing(sql: Sql, link: { isLossy: boolean }): Sql {
  return new Proxy(sql, {
    apply(target, self, args) {
      const query = Reflect.apply(target, self, args)
      const isWrite = Array.isArray(args[0]) && args[0].some((part: string) => part.includes('logged as ('))
      if (!link.isLossy || !isWrite) return query
      return query.then(() => {
        throw new DatabaseUnavailableError('the answer was lost')
      })
    },
  })
}

test('a change is announced where its answer was lost, and again where it is asked for again', async t => {
  const changes: Change[] = []
  const link = { isLossy: false }
  const sql = losing(await openTestDatabase(t, 'PostgreSQL'), link)
  const peppers = peppersOf('a pepper that is long enough for tests')
  const announceChange = (change: Change) => void changes.push(change)
  const operations = buildOperations({ sql, peppers, tiers: () => configOf({}).tiers, announceChange })
  const account = (await operations.createAccount(actor, once({ name: 'acme' }))).record
  const keys: { readonly id: string }[] = []
  for (const name of ['changed', 'rotated', 'revoked']) {
    keys.push((await operations.createKey(actor, { body: { account: account.id, name }, idempotencyKey: null })).record)
  }
  const [changed, rotated, revoked] = keys.map(({ id }) => id)
  assert.ok(changed && rotated && revoked)
  const ofAccount = { kind: 'account', id: account.id } as const
  const cases: [string, Change, () => Promise<unknown>][] = [
    [
      'update of a key',
      { kind: 'key', id: changed },
      () => operations.updateKey(actor, { id: changed, changes: { name: 'n' } }),
    ],
    ['rotation', { kind: 'key', id: rotated }, () => operations.rotateKey(actor, { id: rotated, ...once({}) })],
    ['revocation', { kind: 'key', id: revoked }, () => operations.revokeKey(actor, { id: revoked })],
    [
      'suspension',
      ofAccount,
      () => operations.updateAccount(actor, { account: account.id, changes: { status: 'suspended' } }),
    ],
    ['deletion', ofAccount, () => operations.deleteAccount(actor, { account: account.id })],
  ]
  for (const [what, change, perform] of cases) {
    changes.length = 0
    link.isLossy = true
    await assert.rejects(perform(), DatabaseUnavailableError, what)
    assert.deepEqual(changes, [change], what)
    changes.length = 0
    link.isLossy = false
    await perform()
    assert.deepEqual(changes, [change], `${what}, again`)
  }
})
