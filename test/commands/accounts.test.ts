import assert from 'node:assert/strict'
import { test } from 'node:test'
import postgres from 'postgres'
import { accountsCommand } from '../../src/commands/accounts.ts'
import { keysCommand } from '../../src/commands/keys.ts'
import { openSession } from '../../src/control/session.ts'
import { onEnd } from '../support/cleanup.ts'
import { runnerOf } from '../support/commands.ts'
import { configOf } from '../support/config.ts'
import { createMigratedDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const run = runnerOf(accountsCommand)
const keys = runnerOf(keysCommand)

test('an account is made, shown, changed, suspended and deleted', async t => {
  const pepper = 'a pepper that is long enough for tests'
  const env = { WEIR_DATA_DIR: makeTempDir(t), DATABASE_URL: await createMigratedDatabase(t), WEIR_KEY_PEPPER: pepper }
  const ask = async (...argv: string[]) => {
    const { code, stdout, stderr } = await run(env, ...argv)
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }
  const made = await ask('create', 'acme', '--tier', 'premium', '--limits', 'requests_per_day=5, spend_per_day=0.50')
  const limits = { requests_per_day: 5, spend_per_day: '0.50' }
  assert.deepEqual([made.name, made.tier, made.status, made.limits], ['acme', 'premium', 'active', limits])
  assert.equal((await ask('create', '--name', 'other')).tier, 'free')
  assert.deepEqual(await ask('show', made.id), made)
  assert.deepEqual(await ask('show', 'acme'), made)

  const changed = await ask('update', 'acme', '--name', 'Acme', '--limits', 'tokens_per_day=none')
  assert.deepEqual([changed.id, changed.name, changed.limits], [made.id, 'Acme', { tokens_per_day: null }])
  assert.deepEqual((await ask('update', 'Acme', '--limits', '')).limits, {})
  assert.equal((await ask('suspend', 'Acme')).status, 'suspended')
  const refused = await keys(env, 'create', '--account', 'Acme')
  assert.deepEqual([refused.code, refused.stderr], [1, 'weir keys: The account "Acme" is suspended.\n'])
  assert.equal((await ask('activate', made.id)).status, 'active')
  assert.equal((await keys(env, 'create', '--account', made.id)).code, 0)

  const names = ({ data }: { data: { name: string }[] }) => data.map(({ name }) => name)
  assert.deepEqual(names(await ask('list')), ['default', 'Acme', 'other'])
  assert.deepEqual(names(await ask('list', '--tier', 'free')), ['other'])
  const table = (await run.onTerminal(env, 'list', '--tier', 'premium')).stdout.split('\n')
  assert.match(table[0] ?? '', /^ID +NAME +TIER +STATUS +LIMITS +CREATED$/)
  assert.match(table[1] ?? '', new RegExp(`^${made.id} +Acme +premium +active +the tier's +\\S+$`))
  assert.equal((await run.onTerminal(env, 'list', '--status', 'suspended')).stdout, 'There are no accounts.\n')

  assert.notEqual((await ask('delete', 'Acme')).deleted_at, null)
  assert.deepEqual(names(await ask('list')), ['default', 'other'])
  const list = await keys(env, 'list', '--account', made.id)
  assert.deepEqual(
    JSON.parse(list.stdout).data.map((key: { status: string }) => key.status),
    ['revoked'],
  )
  const gone = await run(env, 'show', 'Acme')
  assert.deepEqual([gone.code, gone.stdout, gone.stderr], [1, '', 'weir accounts: There is no account "Acme".\n'])
})

test('a list of many pages is whole, and what a terminal would obey is not written to it', async t => {
  const pepper = 'a pepper that is long enough for tests'
  const env = { WEIR_DATA_DIR: makeTempDir(t), DATABASE_URL: await createMigratedDatabase(t), WEIR_KEY_PEPPER: pepper }
  const session = await openSession(configOf(env))
  for (let index = 0; index < 102; index++) await session.operations.createAccount({ name: `n${index}` })
  await session.close()
  const all = JSON.parse((await run(env, 'list')).stdout).data as { name: string }[]
  // Those made within one millisecond come in either order.
  assert.equal(all.length, 103)
  assert.deepEqual(
    new Set(all.map(({ name }) => name)),
    new Set(['default', ...Array.from({ length: 102 }, (_, index) => `n${index}`)]),
  )
  for (const name of ['a\u001b[31m', 'a\u009b31m', 'a\nb', 'a\u0000']) {
    const { code, stderr } = await run(env, 'create', name)
    assert.deepEqual([code, stderr], [1, 'weir accounts: name must be free of control characters.\n'])
  }
  // Names are in the database from before, and may be in any language: only the terminal's own line is safe.
  const sql = postgres(env.DATABASE_URL)
  onEnd(t, () => sql.end())
  await sql`insert into accounts (id, name, tier) values (gen_random_uuid(), ${'left\u202eright'}, 'free')`
  const { stdout } = await run.onTerminal(env, 'list', '--tier', 'free')
  assert.doesNotMatch(stdout, /[^\P{C}\n]/u)
  assert.match(stdout, /left\?right/)
  const unknown = await run(env, 'show', 'no\u202ebody')
  assert.match(unknown.stderr, /^weir accounts: There is no account "no\?body"\.\n$/)
})

test('what is not understood is said, with the usage, and nothing is opened', async t => {
  const env = { WEIR_DATA_DIR: makeTempDir(t), DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' }
  const cases: [string[], RegExp][] = [
    [[], /create.*list.*show.*delete/],
    [['create'], /takes one account/],
    [['create', 'a', 'b'], /takes one account/],
    [['create', 'a', '--name', 'b'], /two names/],
    [['create', 'a', '--limits', 'requests_per_day'], /NAME=VALUE/],
    [['create', 'a', '--status', 'suspended'], /does not take --status/],
    [['update', 'a'], /something to change/],
    [['list', '--status', 'deleted'], /active or suspended/],
    [['suspend'], /takes one account/],
  ]
  for (const [argv, message] of cases) {
    const { code, stdout, stderr } = await run(env, ...argv)
    assert.deepEqual([code, stdout], [2, ''], argv.join(' '))
    assert.match(stderr, message)
    assert.match(stderr, /Usage:/)
  }
  assert.match((await run(env, '--help')).stdout, /^Usage:/)
})
