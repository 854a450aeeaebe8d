import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { keysCommand } from '../../../src/commands/keys.ts'
import { onEnd } from '../../support/cleanup.ts'
import { runnerOf } from '../../support/commands.ts'
import { createDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const keyPepper = randomBytes(32).toString('base64url')

const run = runnerOf(keysCommand)

async function startServer(t: TestContext, dataDir: string) {
  const file = fileURLToPath(new URL('keys-server.ts', import.meta.url))
  const child = spawn(process.execPath, [file, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
  onEnd(t, () => child.kill('SIGKILL'))
  const [line] = await once(child.stdout, 'data')
  return { child, url: String(line).trim() }
}

test('keys are made, listed and revoked beside a running server that holds the embedded database, and without it', async t => {
  const env = { WEIR_DATA_DIR: makeTempDir(t) }
  let key = ''
  let id = ''

  await t.test('before the first start: the command makes the database itself', async () => {
    const { code, stdout, stderr } = await run(env, 'create', '--account', 'acme', '--tier', 'free', '--name', 'ci')
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^sk-weir-[0-9A-Za-z]{16}-[0-9A-Za-z]{54}\n$/)
    key = stdout.trim()
    id = key.slice(8, 24)
    assert.ok(stderr.includes(id) && !stderr.includes(key))
  })

  const { child, url } = await startServer(t, env.WEIR_DATA_DIR)
  const status = async (bearer: string) => {
    const response = await request(url, { headers: { authorization: `Bearer ${bearer}` } })
    await response.body.dump()
    return response.statusCode
  }

  await t.test('beside the server: it knows the keys at once, and stops knowing them at once', async () => {
    const created = await run(
      env,
      'create',
      '--account',
      'acme',
      '--scopes',
      'chat,models',
      '--expires',
      '30d',
      '--json',
    )
    assert.equal(created.code, 0, created.stderr)
    const view = JSON.parse(created.stdout)
    assert.deepEqual(
      [view.account.name, view.tier, view.scopes, view.models],
      ['acme', 'free', ['chat', 'models'], null],
    )
    const days = (Date.parse(view.expires_at) - Date.parse(view.created_at)) / 86_400_000
    assert.ok(Math.abs(days - 30) < 0.01)
    assert.equal(await status(view.key), 200)
    assert.equal(await status(key), 200)

    assert.match((await run(env, 'revoke', id)).stdout, new RegExp(`^${id} revoked at `))
    assert.equal(await status(key), 401)

    const { data } = JSON.parse((await run(env, 'list', '--json')).stdout)
    assert.deepEqual(
      data.map((row: { id: string }) => row.id),
      [id, view.id],
    )
    // Without a terminal it is the same, so that a program need not ask for it.
    assert.deepEqual(JSON.parse((await run(env, 'list')).stdout).data, data)
    const shown = JSON.parse((await run(env, 'show', id)).stdout)
    assert.deepEqual([shown.id, shown.status], [id, 'revoked'])
    const table = (await run.onTerminal(env, 'list', '--account', 'acme')).stdout.split('\n')
    assert.match(table[0] ?? '', /^ID +ACCOUNT +TIER +NAME +SCOPES +MODELS +CREATED +EXPIRES +LAST USED +STATUS$/)
    assert.match(
      table[1] ?? '',
      new RegExp(`^${id} +acme +free +ci +the tier's +the tier's +\\S+ +never +never +revoked \\S+$`),
    )
    assert.equal(JSON.stringify(table).includes(key), false)
  })

  await t.test('rotated: the new one works at once, the old one for the grace period', async () => {
    const old = (await run(env, 'create', '--account', 'acme', '--name', 'rotating')).stdout.trim()
    const { code, stdout, stderr } = await run(env, 'rotate', old.slice(8, 24), '--grace', '1h')
    assert.equal(code, 0, stderr)
    const fresh = stdout.trim()
    assert.match(stdout, /^sk-weir-[0-9A-Za-z]{16}-[0-9A-Za-z]{54}\n$/)
    assert.match(
      stderr,
      new RegExp(`^Key ${fresh.slice(8, 24)} of account acme .*\\nIt replaces ${old.slice(8, 24)}, `),
    )
    assert.deepEqual([await status(old), await status(fresh)], [200, 200])
    const again = await run(env, 'rotate', old.slice(8, 24))
    assert.deepEqual([again.code, again.stdout], [1, ''])
    assert.match(again.stderr, /replaced by/)
    const last = await run(env, 'rotate', fresh.slice(8, 24), '--grace', '0m', '--json')
    assert.deepEqual([await status(fresh), await status(JSON.parse(last.stdout).key)], [401, 200])
  })

  await t.test('after it was killed: the command takes the database over', async () => {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    const { code, stdout } = await run(env, 'list', '--json')
    assert.equal(code, 0)
    assert.equal(JSON.parse(stdout).data.length, 5)
  })
})

test('with a PostgreSQL of its own the command needs no server, but the pepper', async t => {
  const env = { WEIR_DATA_DIR: makeTempDir(t), DATABASE_URL: await createDatabase(t) }
  const without = await run(env, 'create', '--account', 'acme')
  assert.equal(without.code, 1)
  assert.match(without.stderr, /WEIR_KEY_PEPPER/)
  const { code, stdout } = await run({ ...env, WEIR_KEY_PEPPER: keyPepper }, 'create', '--account', 'acme')
  assert.equal(code, 0)
  assert.match(stdout, /^sk-weir-/)
})

test('what is not understood is said, with the usage, and nothing is opened', async t => {
  const dataDir = makeTempDir(t)
  const env = { WEIR_DATA_DIR: dataDir, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' }
  const cases: [string[], RegExp][] = [
    [[], /create.*list.*rotate.*revoke/],
    [['destroy'], /create.*list.*rotate.*revoke/],
    [['toString'], /create.*list.*rotate.*revoke/],
    [['list', '--scopes', 'chat'], /"list" does not take --scopes/],
    [['rotate', '0'.repeat(16), '--grace', 'soon'], /--grace/],
    [['show', 'a', 'b'], /the id of one key/],
    [['create'], /needs --account/],
    [['create', '--account', 'a', '--scopes', 'chat,root'], /no scope "root"/],
    [['create', '--account', 'a', '--expires', 'tomorrow'], /--expires/],
    [['create', '--account', 'a', '--password', 'x'], /--password/],
    [['revoke'], /the id of one key/],
    [['list', 'more'], /flags only/],
  ]
  for (const [argv, message] of cases) {
    const { code, stdout, stderr } = await run(env, ...argv)
    assert.deepEqual([code, stdout], [2, ''], argv.join(' '))
    assert.match(stderr, message)
    assert.match(stderr, /Usage:/)
  }
  const pasted = await run(env, 'revoke', `sk-weir-${'x'.repeat(71)}`)
  assert.equal(pasted.code, 2)
  assert.equal(pasted.stderr.includes('xxxx'), false)
  for (const argv of [['--help'], ['-h'], ['create', '-h']]) assert.equal((await run(env, ...argv)).code, 0)
  const unknown = await run({ ...env, PORT: 'many' }, 'list')
  assert.equal(unknown.code, 1)
  assert.match(unknown.stderr, /PORT/)
})

test('a database that is not there is an error in words', async t => {
  const env = { WEIR_DATA_DIR: makeTempDir(t), DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' }
  const { code, stderr } = await run({ ...env, WEIR_KEY_PEPPER: keyPepper }, 'list')
  assert.equal(code, 1)
  assert.match(stderr, /the database cannot be reached/)
})

test('a data directory that cannot be used is named with where it was named', async () => {
  const byVariable = await run({ WEIR_DATA_DIR: '/proc/weir' }, 'list')
  assert.equal(byVariable.code, 1)
  assert.match(
    byVariable.stderr,
    /^weir keys: environment WEIR_DATA_DIR stores\.dataDir: \/proc\/weir .*\n.*WEIR_DATA_DIR/,
  )
  const byFlag = await run({}, 'list', '--data-dir', '/proc/weir')
  assert.match(byFlag.stderr, /^weir keys: flag --data-dir stores\.dataDir: \/proc\/weir .*\n.*by --data-dir\.\n$/)
})
