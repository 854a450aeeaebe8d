import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { decodeFrames } from '../../src/ledger/frame.ts'
import { segmentPath } from '../../src/ledger/segment-folder.ts'
import { eventually } from '../support/eventually.ts'
import { changedDisk, copyAsCrashed, idsOf, openSpool, readAll, systemError } from '../support/ledger.ts'
import { makeEvent, makeIntent } from '../support/ledger-records.ts'

/** A disk that fails the fsyncs it is told to, and counts them by file. */
function failingSyncs(isBad: (path: string, count: number) => boolean) {
  const syncs = new Map<string, number>()
  const disk = changedDisk((file, path) => ({
    sync: async () => {
      const count = (syncs.get(path) ?? 0) + 1
      syncs.set(path, count)
      if (isBad(path, count)) throw systemError('EIO')
      await file.sync()
    },
  }))
  return { disk, syncs }
}

const idsIn = (folder: string, segment: number) =>
  decodeFrames(readFileSync(segmentPath(folder, segment))).frames.map(
    ({ payload }): string => JSON.parse(payload.toString()).id,
  )

test('P08: after a failed fsync what came since the last good one is written to a new segment', async t => {
  let isBad = false
  const { disk, syncs } = failingSyncs(path => isBad && path.endsWith('1.log'))
  const { spool, folder, noticesOf } = await openSpool(t, { disk })
  const first = segmentPath(folder, 1)
  await spool.appendFinal(makeEvent('synced'))
  await eventually('it is synced', () => syncs.get(first) === 1)
  isBad = true
  await spool.appendIntent(makeIntent('ended'))
  await spool.appendIntent(makeIntent('running'))
  await spool.appendFinal(makeEvent('ended'))
  await eventually('the alarm', () => noticesOf('segment_distrusted').length === 1)
  const [alarm] = noticesOf('segment_distrusted')
  deepStrictEqual([alarm?.segment, alarm?.records], [1, 2])
  ok(String(alarm?.error).includes('EIO'))
  await eventually('they are in a new segment', () => spool.waiting === 3)
  deepStrictEqual(idsIn(folder, 2), ['running', 'ended'])

  const tries = syncs.get(first)
  strictEqual(await spool.appendFinal(makeEvent('later')), 'written')
  await eventually('the new one is synced', () => (syncs.get(segmentPath(folder, 2)) ?? 0) > 0)
  strictEqual(syncs.get(first), tries, 'it is never tried again on the same file')
  const next = await openSpool(t, { folder: copyAsCrashed(t, folder) })
  deepStrictEqual([...new Set(idsOf(await readAll(next.spool)))], ['synced', 'ended', 'later', 'running'])
  deepStrictEqual(next.noticesOf('unknown'), [{ kind: 'unknown', events: 1 }])
})

test('P08: even if nothing of the segment has reached the disk, nothing is lost', async t => {
  const { disk } = failingSyncs((path, count) => path.endsWith('1.log') && count === 1)
  const { spool, folder, noticesOf } = await openSpool(t, { disk, segmentBytes: 1500 })
  const ids = Array.from({ length: 20 }, (_, index) => `event-${index}`)
  for (const id of ids) await spool.appendFinal(makeEvent(id))
  await eventually('the alarm', () => noticesOf('segment_distrusted').length === 1)
  await spool.close()
  const segments = readdirSync(folder).filter(name => /^segment-.*[^1]\.log$|^segment-.*[1-9]1\.log$/.test(name))
  const kept = segments.flatMap(name => idsIn(folder, Number(/\d+/.exec(name)?.[0])))
  deepStrictEqual(new Set(kept), new Set(ids))
})

test('a write that fails for another reason than room goes to a new segment as well', async t => {
  let failures = 0
  const disk = changedDisk((file, path) => ({
    write: async (bytes, position, isInThread) => {
      if (!path.endsWith('1.log') || position === 0) return file.write(bytes, position, isInThread)
      failures += 1
      throw systemError('EIO')
    },
  }))
  const { spool, folder } = await openSpool(t, { disk })
  await spool.appendIntent(makeIntent('a'))
  strictEqual(await spool.appendIntent(makeIntent('refused')), 'full')
  strictEqual(await spool.appendFinal(makeEvent('a')), 'written')
  strictEqual(failures, 1)
  strictEqual(spool.level, 'ok')
  const next = await openSpool(t, { folder: copyAsCrashed(t, folder) })
  deepStrictEqual(idsOf(await readAll(next.spool)), ['a'])
})

test('where every write fails one file is left, not one for each try', async t => {
  let failures = 0
  const disk = changedDisk(() => ({
    write: async () => {
      failures += 1
      throw systemError('EIO')
    },
  }))
  const { spool, folder } = await openSpool(t, { disk })
  void spool.appendFinal(makeEvent('a'))
  await eventually('it has been tried often', () => failures > 3)
  ok(readdirSync(folder).filter(name => name.startsWith('segment-')).length <= 1)
})

test('P08: so does what was being written while the fsync failed', async t => {
  const gate = Promise.withResolvers<void>()
  const failing = Promise.withResolvers<void>()
  const disk = changedDisk((file, path) => ({
    write: async (bytes, position) => {
      if (path.endsWith('1.log') && position > 0) await gate.promise
      return file.write(bytes, position, true)
    },
    sync: async () => {
      if (!path.endsWith('1.log')) return file.sync()
      await failing.promise
      throw systemError('EIO')
    },
  }))
  const { spool, folder, noticesOf } = await openSpool(t, { disk })
  await spool.appendFinal(makeEvent('before'))
  const during = spool.appendFinal(makeEvent('during'))
  failing.resolve()
  await eventually('the alarm', () => noticesOf('segment_distrusted').length === 1)
  gate.resolve()
  strictEqual(await during, 'written')
  deepStrictEqual(new Set(idsIn(folder, 2)), new Set(['before', 'during']))
})

test('the name of a new segment is brought to the disk as well', async t => {
  const synced: string[] = []
  const disk = changedDisk(() => ({}), { syncFolder: async path => void synced.push(path) })
  const { spool, folder } = await openSpool(t, { disk, segmentBytes: 1 })
  for (const id of ['a', 'b']) await spool.appendFinal(makeEvent(id))
  await eventually('of both', () => synced.length === 2)
  deepStrictEqual(synced, [folder, folder])
})
