import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { acquireLock, DataDirBusyError } from '../../src/embedded/lock.ts'
import { findKey } from '../../src/store/callers.ts'
import { openDatabase } from '../../src/store/database.ts'
import { isUnavailable } from '../../src/store/deadline.ts'
import { onEnd } from '../support/cleanup.ts'
import { makeTempDir } from '../support/temp-dir.ts'

test('the embedded database: made safely, durable over kill -9, one session that behaves like a server', async t => {
  const dataDir = makeTempDir(t)
  let publicId = ''

  await t.test('what an interrupted first start left behind is made anew', () => {
    // PGlite takes a folder with this file for a whole database.
    mkdirSync(join(dataDir, 'db.new'))
    writeFileSync(join(dataDir, 'db.new', 'PG_VERSION'), '18\n')
  })

  await t.test('a key that was stored is there after kill -9, and nobody else gets in before', async () => {
    const holder = fileURLToPath(new URL('pglite-holder.ts', import.meta.url))
    const child = spawn(process.execPath, [holder, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
    onEnd(t, () => child.kill('SIGKILL'))
    const [line] = await once(child.stdout, 'data')
    publicId = String(line).trim()
    await assert.rejects(acquireLock(dataDir, 0), DataDirBusyError)
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  })

  const database = await openDatabase({ dataDir })
  onEnd(t, () => database.close())
  const { sql } = database
  assert.equal((await findKey(sql, publicId))?.accountName, 'default')

  await t.test('a thousand calls at once are each answered, errors among them', async () => {
    const calls = Array.from({ length: 1000 }, (_, i) =>
      i % 3 === 0
        ? sql`select ${i}::int / ${i % 2}::int as n`
        : i % 3 === 1
          ? sql`select nonsense`
          : sql`select ${i}::int as n`,
    )
    const answers = await Promise.allSettled(calls)
    for (const [i, answer] of answers.entries()) {
      const isError = i % 3 === 1 || (i % 3 === 0 && i % 2 === 0)
      assert.equal(answer.status, isError ? 'rejected' : 'fulfilled', `call ${i}`)
      if (answer.status === 'fulfilled') assert.equal(answer.value[0]?.['n'], i)
    }
  })

  await t.test('a value of many megabytes passes', async () => {
    const text = 'ä'.repeat(4_000_000)
    const [row] = await sql<{ text: string }[]>`select ${text} as text`
    assert.equal(row?.text, text)
  })

  await t.test('what a lost connection left in its session is gone with it', async () => {
    await sql.unsafe('begin; create table left_behind (id int)')
    const interrupted = sql`select pg_sleep(0.2)`.catch(error => error)
    database.renew('closed')
    assert.equal(isUnavailable(await interrupted), true)
    assert.deepEqual([...(await sql`select to_regclass('left_behind') as found`)], [{ found: null }])
  })

  await t.test('closed cleanly it opens again, with its data', async () => {
    await database.close()
    await assert.rejects(async () => await sql`select 1`, { code: 'CONNECTION_ENDED' })
    const again = await openDatabase({ dataDir })
    onEnd(t, () => again.close())
    assert.ok(await findKey(again.sql, publicId))
  })
})
