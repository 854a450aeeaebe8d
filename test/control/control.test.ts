import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { buildOperations, type Operations } from '../../src/admin/operations.ts'
import { findControlPath } from '../../src/control/address.ts'
import { connectControl } from '../../src/control/client.ts'
import { startControlServer } from '../../src/control/server.ts'
import { parseApiKey } from '../../src/domain/api-key.ts'
import type { Change } from '../../src/domain/change.ts'
import { onEnd } from '../support/cleanup.ts'
import { configOf } from '../support/config.ts'
import { openTestDatabase } from '../support/databases.ts'
import { commandsOf } from '../support/keys.ts'
import { peppersOf } from '../support/peppers.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const peppers = peppersOf('a pepper that is long enough for tests')
const log = { error: () => {} }
const noKeys = { object: 'list', data: [], has_more: false, next_cursor: null }

async function buildTestOperations(t: TestContext) {
  const forgotten: string[] = []
  const { tiers } = configOf({})
  const narrow = { ...tiers['free'], scopes: ['chat'], models: ['llama-*'] } as (typeof tiers)[string]
  const sql = await openTestDatabase(t, 'PostgreSQL')
  const announceChange = ({ id }: Change) => void forgotten.push(id)
  return {
    operations: buildOperations({ sql, peppers, announceChange, tiers: () => ({ ...tiers, narrow }) }),
    forgotten,
  }
}

async function start(t: TestContext, dataDir: string, operations: Operations) {
  const server = await startControlServer({ dataDir, operations, log })
  assert.ok(server)
  onEnd(t, () => server.close())
  return server
}

async function connectTo(t: TestContext, dataDir: string) {
  const control = await connectControl(dataDir)
  assert.ok(control)
  onEnd(t, () => control.close())
  return control.operations
}

test('over the socket the operations are the same as in the process', async t => {
  const dataDir = makeTempDir(t)
  const { operations, forgotten } = await buildTestOperations(t)
  const server = await start(t, dataDir, operations)
  assert.equal(server.path, join(dataDir, 'control.sock'))
  assert.equal(statSync(server.path).mode & 0o777, 0o600)

  const remote = await connectTo(t, dataDir)
  const account = await remote.ensureAccount({ name: 'acme', tier: 'premium' })
  assert.deepEqual(await remote.ensureAccount({ name: 'acme' }), account)
  const { key, ...created } = await remote.createKey({ account: 'acme', name: 'ci', scopes: ['chat'] })
  assert.equal(parseApiKey(peppers, key)?.publicId, created.id)
  assert.deepEqual(created.account, { id: account.id, name: 'acme' })
  assert.deepEqual([created.tier, created.name, created.scopes], ['premium', 'ci', ['chat']])
  const local = await commandsOf(operations).createKey({ account: 'acme' })
  assert.deepEqual(await remote.listKeys({}), await operations.listKeys({}))
  assert.deepEqual((await remote.listKeys({ account: 'acme' })).data[1], created)

  const revoked = await remote.revokeKey({ id: created.id })
  assert.deepEqual(forgotten, [created.id])
  assert.deepEqual(await remote.revokeKey({ id: created.id }), revoked)
  assert.deepEqual(
    (await remote.listKeys({})).data.map(view => [view.id, view.revoked_at]),
    [
      [local.id, null],
      [created.id, revoked.revoked_at],
    ],
  )
  const { data } = await operations.listAudit({ target_id: created.id })
  assert.deepEqual(
    data.map(({ actor, action, request_id }) => [actor.kind, actor.id, action, request_id]),
    [
      ['command', null, 'key.revoke', null],
      ['command', null, 'key.create', null],
    ],
  )
})

test('what cannot be done is said, and the next command is served', async t => {
  const dataDir = makeTempDir(t)
  const { operations } = await buildTestOperations(t)
  await start(t, dataDir, operations)
  const remote = await connectTo(t, dataDir)
  await remote.ensureAccount({ name: 'acme', tier: 'narrow' })
  await remote.createKey({ account: 'acme', models: ['llama-3*'] })
  const refusals: [Promise<unknown>, RegExp][] = [
    [remote.ensureAccount({ name: 'x', tier: 'gold' }), /no tier "gold".*free, premium, enterprise/],
    [remote.ensureAccount({ name: 'acme', tier: 'free' }), /"acme" is of tier narrow, not free/],
    [remote.createKey({ account: 'x' }), /no account "x"/],
    [remote.createKey({ account: 'acme', scopes: ['usage'] }), /does not have the scope "usage".*chat/],
    [remote.createKey({ account: 'acme', models: ['gpt-*'] }), /may not use "gpt-\*".*llama-\*/],
    [remote.createKey({ account: 'acme', expires_at: '2001-01-01T00:00:00Z' }), /expired already/],
    [remote.createKey({ account: 'a\u001b[31m' }), /^account must be free of control characters\.$/],
    [remote.createKey({ account: 'a', digest: 'x' } as { account: string }), /^digest is not a known field\.$/],
    [
      remote.createKey({ account: 'a', scopes: ['root'] as unknown as ['chat'] }),
      /^scopes\[0\] must be 'chat'.*it is 'root'\.$/,
    ],
    [remote.revokeKey({ id: '0'.repeat(16) }), /no key with the id/],
  ]
  for (const [attempt, message] of refusals) {
    await assert.rejects(attempt, error => {
      assert.ok(error instanceof Error)
      assert.match(error.message, message)
      return true
    })
  }
  await remote.updateAccount({ account: 'acme', changes: { status: 'suspended' } })
  await assert.rejects(remote.createKey({ account: 'acme' }), /"acme" is suspended/)
  assert.equal((await remote.listKeys({})).data.length, 1)
})

test('lines that are no question, or too long, do no harm', async t => {
  const dataDir = makeTempDir(t)
  const { operations } = await buildTestOperations(t)
  const server = await start(t, dataDir, operations)
  const socket = connect(server.path)
  socket.write('nonsense\n{"call":"constructor","input":{}}\n{"call":"listKeys"}\n{"call":"listKeys","input":{}}\n')
  let text = ''
  socket.on('data', data => (text += data))
  while (text.split('\n').length < 5) await once(socket, 'data')
  const answers = text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line).ok)
  assert.deepEqual(answers, [false, false, false, true])
  const closed = new Promise(resolve => socket.on('error', () => {}).on('close', resolve))
  socket.write('x'.repeat(1024 * 1024))
  await closed
  assert.deepEqual(await (await connectTo(t, dataDir)).listKeys({}), noKeys)
})

const killed = `
  import { createServer } from 'node:net'
  createServer().listen(process.argv[1], () => console.log('listening'))
`

test('a socket that a killed server left behind is replaced; a living server is not', async t => {
  const dataDir = makeTempDir(t)
  const path = findControlPath(dataDir) ?? ''
  const child = spawn(process.execPath, ['--input-type=module', '-e', killed, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.ok(existsSync(path))
  assert.equal(await connectControl(dataDir), null)

  const { operations } = await buildTestOperations(t)
  const server = await start(t, dataDir, operations)
  assert.equal(await startControlServer({ dataDir, operations, log }), null)
  assert.deepEqual(await (await connectTo(t, dataDir)).listKeys({}), noKeys)
  await server.close()
  assert.equal(existsSync(path), false)
  assert.equal(await connectControl(dataDir), null)
})

test('a data directory too deep for a socket has it elsewhere, for its owner alone, and leaves nothing behind', async t => {
  const dataDir = join(makeTempDir(t), 'a-folder-with-a-long-name'.repeat(5))
  mkdirSync(dataDir, { mode: 0o700 })
  const { operations } = await buildTestOperations(t)
  const server = await start(t, dataDir, operations)
  const folder = dirname(server.path)
  assert.ok(server.path.length < 100)
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  assert.equal(statSync(join(dataDir, 'control.path')).mode & 0o777, 0o600)
  assert.deepEqual(await (await connectTo(t, dataDir)).listKeys({}), noKeys)
  await server.close()
  assert.equal(existsSync(folder), false)
  assert.equal(existsSync(join(dataDir, 'control.path')), false)
})

test('a pointer of a killed server to elsewhere is followed by nobody for long', async t => {
  const dataDir = join(makeTempDir(t), 'a-folder-with-a-long-name'.repeat(5))
  mkdirSync(dataDir, { mode: 0o700 })
  const { operations } = await buildTestOperations(t)
  const first = await start(t, dataDir, operations)
  const pointer = readFileSync(join(dataDir, 'control.path'), 'utf8')
  await first.close()
  writeFileSync(join(dataDir, 'control.path'), pointer)
  assert.equal(await connectControl(dataDir), null)
  const second = await start(t, dataDir, operations)
  assert.notEqual(second.path, pointer)
  assert.deepEqual(await (await connectTo(t, dataDir)).listKeys({}), noKeys)
})
