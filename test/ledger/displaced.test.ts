import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert/strict'
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { LedgerBusyError, lockLedger } from '../../src/ledger/ledger-lock.ts'
import { segmentPath } from '../../src/ledger/segment-folder.ts'
import { eventually } from '../support/eventually.ts'
import {
  changedDisk,
  copyAsCrashed,
  idsOf,
  type OpenedSpool,
  openSpool,
  readAll,
  storeAll,
  systemError,
} from '../support/ledger.ts'
import { makeEvent, makeIntent } from '../support/ledger-records.ts'

async function rescued({ spool, noticesOf }: OpenedSpool): Promise<void> {
  await eventually('it is noticed', () => noticesOf('segment_displaced').length === 1)
  await spool.whenAppended()
}

const takenAnew = ({ noticesOf }: OpenedSpool) =>
  eventually('the folder is taken anew', () => noticesOf('folder_taken_anew').length === 1)

const lostOf = ({ noticesOf }: OpenedSpool) => noticesOf('damage').reduce((sum, { lost }) => sum + lost, 0)

const removals = {
  'the folder is removed': (folder: string) => rmSync(folder, { recursive: true }),
  'the folder is renamed': (folder: string) => renameSync(folder, `${folder}.away`),
  'the growing segment is removed': (folder: string) => rmSync(segmentPath(folder, 1)),
  'the growing segment is renamed': (folder: string) => renameSync(segmentPath(folder, 1), join(folder, 'away')),
  'a file is put in the place of the growing segment': (folder: string) => {
    rmSync(segmentPath(folder, 1))
    writeFileSync(segmentPath(folder, 1), 'something else')
  },
}

// Most wait for a look at the disk, which is once a second.
describe('a ledger whose files are taken away under its process', { concurrency: true }, () => {
  for (const [name, remove] of Object.entries(removals)) {
    test(`${name}: what it had is written again, and what comes later is on the disk`, async t => {
      const opened = await openSpool(t)
      const { spool, folder, noticesOf } = opened
      await spool.appendFinal(makeEvent('stored'))
      deepStrictEqual(idsOf(await storeAll(spool)), ['stored'])
      for (const id of ['ended', 'running']) await spool.appendIntent(makeIntent(id))
      await spool.appendFinal(makeEvent('ended'))
      remove(folder)
      await spool.appendFinal(makeEvent('unnoticed'))
      await rescued(opened)
      deepStrictEqual([noticesOf('segment_displaced')[0]?.segment, noticesOf('segment_displaced')[0]?.records], [1, 3])
      strictEqual(await spool.appendFinal(makeEvent('later')), 'written')

      rmSync(segmentPath(folder, 1), { force: true })
      const next = await openSpool(t, { folder: copyAsCrashed(t, folder) })
      deepStrictEqual(idsOf(await readAll(next.spool)), ['ended', 'unnoticed', 'later', 'running'])
      deepStrictEqual(next.noticesOf('unknown'), [{ kind: 'unknown', events: 1 }])
      await spool.appendFinal(makeEvent('running'))
      deepStrictEqual(idsOf(await storeAll(spool)), ['ended', 'unnoticed', 'later', 'running'])
      strictEqual(spool.waiting, 0)
      strictEqual(lostOf(opened), 0)
      strictEqual(spool.level, 'ok')
    })
  }

  test('who reads finds out at once, and does not take for lost what can still be read', async t => {
    const opened = await openSpool(t)
    const { spool, folder } = opened
    for (const id of ['a', 'b']) await spool.appendFinal(makeEvent(id))
    rmSync(folder, { recursive: true })
    const given = spool.whenAppended()
    strictEqual(await spool.next({ maxRecords: 100, maxBytes: 1024 }), null)
    strictEqual((await given).isWhole, true)
    await rescued(opened)
    strictEqual((await spool.whenAppended()).isWhole, true)
    deepStrictEqual(idsOf(await storeAll(spool)), ['a', 'b'])
    strictEqual(lostOf(opened), 0)
  })

  test('a segment that is removed before it was ever synced is written again as well', async t => {
    const syncing = Promise.withResolvers<void>()
    const disk = changedDisk((file, path) => ({
      sync: async () => {
        if (path.endsWith('1.log')) await syncing.promise
        await file.sync()
      },
    }))
    const opened = await openSpool(t, { disk })
    const { spool, folder } = opened
    await spool.appendFinal(makeEvent('a'))
    rmSync(folder, { recursive: true })
    syncing.resolve()
    await rescued(opened)
    deepStrictEqual(idsOf(await readAll(spool)), ['a'])
    strictEqual(lostOf(opened), 0)
  })

  test('so is one that is full and waits for its last fsync', async t => {
    const syncing = Promise.withResolvers<void>()
    const disk = changedDisk((file, path) => ({
      sync: async () => {
        if (path.endsWith('1.log')) await syncing.promise
        await file.sync()
      },
    }))
    const opened = await openSpool(t, { disk, segmentBytes: 1000 })
    const { spool, folder } = opened
    const ids = ['a', 'b', 'c', 'd', 'e']
    for (const id of ids) await spool.appendFinal(makeEvent(id))
    ok(existsSync(segmentPath(folder, 2)) && !existsSync(segmentPath(folder, 4)))
    rmSync(segmentPath(folder, 1))
    syncing.resolve()
    await rescued(opened)
    await spool.appendFinal(makeEvent('later'))
    deepStrictEqual(new Set(idsOf(await readAll(spool))), new Set([...ids, 'later']))
    strictEqual(lostOf(opened), 0)
  })

  test('a folder that is taken away while nothing is written is there again before anything is', async t => {
    const opened = await openSpool(t)
    const { folder } = opened
    rmSync(folder, { recursive: true })
    await takenAnew(opened)
    strictEqual(statSync(folder).mode & 0o777, 0o700)
    throws(() => lockLedger(folder), LedgerBusyError)
  })

  test('so is one whose lock alone was removed', async t => {
    const opened = await openSpool(t)
    const { spool, folder } = opened
    await spool.appendFinal(makeEvent('a'))
    rmSync(join(folder, 'lock.db'))
    await takenAnew(opened)
    throws(() => lockLedger(folder), LedgerBusyError)
    deepStrictEqual([idsOf(await readAll(spool)), opened.noticesOf('segment_displaced')], [['a'], []])
  })

  test('who closes it before that is noticed leaves all of it to the next process', async t => {
    const { spool, folder } = await openSpool(t)
    for (const id of ['a', 'b']) await spool.appendFinal(makeEvent(id))
    rmSync(folder, { recursive: true })
    await spool.close()
    const next = await openSpool(t, { folder })
    deepStrictEqual(idsOf(await readAll(next.spool)), ['a', 'b'])
  })

  test('what cannot be written again before it is closed is counted as lost', async t => {
    const opened = await openSpool(t)
    const { spool, folder } = opened
    for (const id of ['a', 'b']) await spool.appendFinal(makeEvent(id))
    rmSync(folder, { recursive: true })
    writeFileSync(folder, 'a file')
    await spool.close()
    strictEqual(lostOf(opened), 2)
  })

  test('that it cannot be made again is found out before anybody wants to write', async t => {
    const { spool, folder } = await openSpool(t)
    rmSync(folder, { recursive: true })
    writeFileSync(folder, 'a file')
    await eventually('it is blocked', () => spool.level === 'full')
    rmSync(folder)
    await eventually('it goes on', () => spool.level === 'ok')
    strictEqual(await spool.appendIntent(makeIntent('a')), 'written')
  })

  test('what is closed and removed cannot be read any more: all of it is counted as lost, and told', async t => {
    const opened = await openSpool(t, { segmentBytes: 2500 })
    const { spool, folder, noticesOf } = opened
    const ids = Array.from({ length: 12 }, (_, index) => `event-${index}`)
    for (const id of ids) await spool.appendFinal(makeEvent(id))
    const batch = await spool.next({ maxRecords: 1, maxBytes: 1024 })
    ok(batch)
    await spool.acknowledge(batch)
    rmSync(folder, { recursive: true })
    const read = await readAll(spool)
    await eventually('it is told', () => noticesOf('damage').length > 0)
    await rescued(opened)
    const kept = [...idsOf(read), ...idsOf(await readAll(spool))]
    ok(kept.length > 0)
    strictEqual(lostOf(opened), ids.length - 1 - kept.length)
  })

  test('while something else stands in its place intents are refused and finals wait; then it goes on', async t => {
    const opened = await openSpool(t)
    const { spool, folder, noticesOf } = opened
    await spool.appendIntent(makeIntent('a'))
    rmSync(folder, { recursive: true })
    writeFileSync(folder, 'a file')
    await eventually('it is blocked', () => spool.level === 'full')
    strictEqual(await spool.appendIntent(makeIntent('refused')), 'full')
    const final = spool.appendFinal(makeEvent('a'))
    ok(noticesOf('level').some(({ level, reason }) => level === 'full' && reason.includes(folder)))
    strictEqual(noticesOf('write_failed').length, 1, 'it is told once')
    rmSync(folder)
    strictEqual(await final, 'written')
    await eventually('it goes on', () => spool.level === 'ok')
    strictEqual(await spool.appendIntent(makeIntent('b')), 'written')
    deepStrictEqual(idsOf(await readAll(spool)), ['a'])
  })

  test('nothing is written to a folder that another process has taken meanwhile', async t => {
    const opened = await openSpool(t)
    const { spool, folder, noticesOf } = opened
    await spool.appendIntent(makeIntent('a'))
    renameSync(folder, `${folder}.away`)
    mkdirSync(folder, { mode: 0o700 })
    const other = lockLedger(folder)
    await eventually('it is blocked', () => spool.level === 'full')
    ok(noticesOf('write_failed').some(({ error }) => String(error).includes('in use by another Weir')))
    strictEqual(existsSync(segmentPath(folder, 1)) || existsSync(segmentPath(folder, 2)), false)
    other.release()
    await eventually('it goes on', () => spool.level === 'ok')
    strictEqual(await spool.appendFinal(makeEvent('a')), 'written')
  })

  test('a segment that is gone and cannot be read back either is counted as lost, but for what is in memory', async t => {
    let isSynced = false
    const disk = changedDisk(file => ({
      sync: async () => {
        await file.sync()
        isSynced = true
      },
      read: async () => {
        throw systemError('EIO')
      },
    }))
    const opened = await openSpool(t, { disk })
    const { spool, folder } = opened
    for (const id of ['a', 'b']) await spool.appendFinal(makeEvent(id))
    await eventually('it is synced', () => isSynced)
    rmSync(segmentPath(folder, 1))
    await rescued(opened)
    strictEqual(lostOf(opened), 2)
    strictEqual(await spool.appendFinal(makeEvent('c')), 'written')
    deepStrictEqual(idsOf(await readAll(spool)), ['c'])
  })
})
