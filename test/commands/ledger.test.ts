import assert from 'node:assert/strict'
import { appendFileSync, chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import postgres from 'postgres'
import { ledgerCommand } from '../../src/commands/ledger.ts'
import { lockLedger } from '../../src/ledger/ledger-lock.ts'
import { segmentPath } from '../../src/ledger/segment-folder.ts'
import { onEnd } from '../support/cleanup.ts'
import { runnerOf } from '../support/commands.ts'
import { copyAsCrashed, openSpool, storeAll } from '../support/ledger.ts'
import { makeIntent } from '../support/ledger-records.ts'
import { createDatabase, createMigratedDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { makeUsageEvent } from '../support/usage.ts'

const run = runnerOf(ledgerCommand)
const verbs = ['status', 'verify', 'replay'] as const
/** Nobody is there: what asks for it before it looks at the folder says something else. */
const nowhere = {
  DATABASE_URL: 'postgres://a@127.0.0.1:1/b',
  WEIR_KEY_PEPPER: 'a pepper that is long enough for tests',
}

/** What there is below a folder, with modes: nothing of it may change. */
const contents = (folder: string) =>
  new Set(
    ['.', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })].map(
      name => `${name} ${statSync(join(folder, name)).mode.toString(8)}`,
    ),
  )

/** A ledger of a process that was killed, with one event and one request that runs. */
async function leaveLedger(t: TestContext): Promise<string> {
  const { spool, folder } = await openSpool(t)
  await spool.appendFinal(makeUsageEvent({ requestId: 'ended', atMs: Date.now() }))
  const { id, atMs, accountId, keyId } = makeUsageEvent({ requestId: 'running', atMs: Date.now() })
  await spool.appendIntent({ ...makeIntent(id), atMs, accountId, keyId })
  return copyAsCrashed(t, folder)
}

const strangers: Readonly<Record<string, { make: (folder: string) => void; says: RegExp }>> = {
  'is not there': {
    make: () => undefined,
    says: /There is no ledger in (\S+): there is no such folder\. Name .* --dir/,
  },
  'is empty': { make: folder => mkdirSync(folder), says: /There is no ledger in (\S+): it is empty\. Name .* --dir/ },
  'has something else in it': {
    make: folder => {
      mkdirSync(folder, { mode: 0o755 })
      chmodSync(folder, 0o755)
      for (const name of ['README', 'a', 'b', 'c', 'cursor']) writeFileSync(join(folder, name), 'mine')
    },
    says: /(\S+) is not a ledger: it has "README", "a", "b", 1 more in it\. Name .* --dir/,
  },
  'is a data folder': {
    make: folder => {
      for (const name of ['pg', 'ledger']) mkdirSync(join(folder, name), { recursive: true })
      writeFileSync(join(folder, 'lock.db'), '')
    },
    says: /(\S+) is not a ledger: it has .* in it\. Did you mean \S+\/place\/ledger\? Name .* --dir/,
  },
  'is a file': {
    make: folder => writeFileSync(folder, ''),
    says: /There is no ledger in (\S+): it is a file, not a folder\. Name .* --dir/,
  },
}

for (const [what, { make, says }] of Object.entries(strangers)) {
  test(`a folder that ${what} is no ledger: each command says so and touches nothing`, async t => {
    const folder = join(makeTempDir(t), 'place')
    make(folder)
    const before = contents(join(folder, '..'))
    for (const verb of verbs) {
      const { code, stdout, stderr } = await run(nowhere, verb, '--dir', folder)
      assert.deepEqual([code, stdout], [1, ''], verb)
      assert.match(stderr, new RegExp(`^weir ledger: ${says.source}.*\n$`))
      assert.equal(says.exec(stderr)?.[1], folder)
      assert.deepEqual(contents(join(folder, '..')), before, verb)
    }
  })
}

const wrongs: Readonly<Record<string, (folder: string) => string>> = {
  'segment-0000000007.log is a folder, not a file': folder => segmentPath(folder, 7),
  'cursor is a folder, not a file': folder => join(folder, 'cursor'),
  'lock.db is a folder, not a file': folder => join(folder, 'lock.db'),
}

test('a ledger of which all is stored is one, whatever somebody has put into it', async t => {
  const { spool, folder } = await openSpool(t)
  await spool.appendFinal(makeUsageEvent({}))
  await storeAll(spool)
  const copy = copyAsCrashed(t, folder)
  rmSync(segmentPath(copy, 1))
  writeFileSync(join(copy, 'notes.txt'), '')
  assert.equal((await run(nowhere, 'status', '--dir', copy)).code, 0)
  await openSpool(t, { folder: copy })
})

test('what stands in a ledger in the place of one of its files is named', async t => {
  const folder = await leaveLedger(t)
  for (const [says, pathIn] of Object.entries(wrongs)) {
    mkdirSync(pathIn(folder))
    const before = contents(folder)
    for (const verb of verbs) {
      const { code, stdout, stderr } = await run(nowhere, verb, '--dir', folder)
      assert.deepEqual([code, stdout], [1, ''], verb)
      assert.equal(
        stderr,
        `weir ledger: The ledger in ${folder} is broken: ${join(folder, says)}. ` +
          'Move it away to go on without it, or put the ledger’s own back from a copy.\n',
      )
      assert.deepEqual(contents(folder), before, verb)
    }
    rmSync(pathIn(folder), { recursive: true })
  }
  writeFileSync(join(folder, 'quarantine'), '')
  assert.match((await run(nowhere, 'verify', '--dir', folder)).stderr, /quarantine is a file, not a folder\./)
})

test('a lock that is none is named as well', async t => {
  const folder = await leaveLedger(t)
  writeFileSync(join(folder, 'lock.db'), 'no database, but long enough to be taken for one'.repeat(100))
  const { code, stderr } = await run(nowhere, 'replay', '--dir', folder)
  assert.equal(code, 1)
  assert.match(stderr, /^weir ledger: The ledger in \S+ cannot be locked: \S+lock\.db .*\. Remove .*\n$/)
})

test('an empty name is no folder', async () => {
  for (const verb of verbs) {
    const { code, stderr } = await run(nowhere, verb, '--dir', '')
    assert.equal(code, 2)
    assert.match(stderr, /^weir ledger: --dir .*\nUsage: /)
  }
})

test('a ledger that somebody has is left alone by replay, and so is the database', async t => {
  const folder = await leaveLedger(t)
  const url = await createDatabase(t)
  const lock = lockLedger(folder)
  const { code, stdout, stderr } = await run({ ...nowhere, DATABASE_URL: url }, 'replay', '--dir', folder)
  lock.release()
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /^weir ledger: \S+ is in use by another Weir\. .*\n$/)
  const sql = postgres(url, { max: 1, onnotice: () => undefined })
  onEnd(t, () => sql.end({ timeout: 1 }))
  const [found] = await sql`select to_regclass('weir_migrations') as migrations`
  assert.equal(found?.['migrations'], null)
})

test('a database that cannot be reached is said as by other commands, and the ledger is given back', async t => {
  const folder = await leaveLedger(t)
  const { code, stdout, stderr } = await run(nowhere, 'replay', '--dir', folder)
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /\nweir ledger: the database cannot be reached: .*\n$/)
  lockLedger(folder).release()
  assert.equal((await run(nowhere, 'status', '--json', '--dir', folder)).code, 0)
})

test('replay says in words what it found, and stores the rest', async t => {
  const folder = await leaveLedger(t)
  appendFileSync(segmentPath(folder, 1), Buffer.alloc(5))
  const env = { ...nowhere, DATABASE_URL: await createMigratedDatabase(t) }
  const { code, stdout, stderr } = await run(env, 'replay', '--json', '--dir', folder)
  assert.deepEqual([code, JSON.parse(stdout)], [0, { stored: 2, quarantined: 0, left: 0 }])
  const [damage, unknown, ...others] = stderr.trimEnd().split('\n')
  assert.match(
    damage ?? '',
    /^segment 1 is damaged at byte \d+: a record that is not whole; its last 5 bytes are kept in \S+quarantine\/segment-1-from-\d+\.bin$/,
  )
  assert.equal(unknown, '1 request that a process did not live to finish is recorded as unknown')
  assert.deepEqual(others, [])
  assert.equal((await run(env, 'verify', '--dir', folder)).code, 0)
})
