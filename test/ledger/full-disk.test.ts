import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { nodeDisk } from '../../src/ledger/ledger-disk.ts'
import { nextLevel } from '../../src/ledger/ledger-level.ts'
import { eventually } from '../support/eventually.ts'
import { changedDisk, copyAsCrashed, idsOf, openSpool, readAll, storeAll, systemError } from '../support/ledger.ts'
import { makeEvent, makeIntent, noMarks } from '../support/ledger-records.ts'

/** A disk with so much room; as write(2) does, the last write that fits in part is cut short. */
function smallDisk(bytes: number) {
  const room = { bytes }
  const disk = changedDisk((file, path) => ({
    write: async (data, position, isInThread) => {
      if (room.bytes === 0) throw systemError('ENOSPC')
      const written = await file.write(data.subarray(0, room.bytes), position, isInThread)
      // What probes the disk is deleted again.
      if (!path.endsWith('probe')) room.bytes -= written
      return written
    },
  }))
  return { room, disk }
}

test('P06: on a full disk intents are refused, nothing accepted is lost, and finals are written when there is room', async t => {
  const { room, disk } = smallDisk(4000)
  const { spool, folder, noticesOf } = await openSpool(t, { disk })
  const accepted: string[] = []
  for (let index = 0; spool.level !== 'full'; index += 1) {
    const result = await spool.appendIntent(makeIntent(`r${index}`))
    if (result === 'written') accepted.push(`r${index}`)
  }
  ok(accepted.length > 3)
  strictEqual(await spool.appendIntent(makeIntent('refused')), 'full')
  const finals = accepted.map(id => spool.appendFinal(makeEvent(id)))
  ok(noticesOf('level').some(({ level, reason }) => level === 'full' && reason.includes('ENOSPC')))
  strictEqual(noticesOf('write_failed').length, 1, 'an outage is told once')

  const killed = await openSpool(t, { folder: copyAsCrashed(t, folder) })
  deepStrictEqual(killed.noticesOf('unknown'), [{ kind: 'unknown', events: accepted.length }])
  deepStrictEqual(killed.noticesOf('damage'), [], 'what did not fit has left nothing')

  room.bytes = 1024 ** 2
  deepStrictEqual(new Set(await Promise.all(finals)), new Set(['written']))
  strictEqual(spool.level, 'ok')
  strictEqual(await spool.appendIntent(makeIntent('later')), 'written')
  deepStrictEqual(idsOf(await readAll(spool)), accepted)
})

test('P06: with nothing left to write it finds out by itself that there is room', async t => {
  const { room, disk } = smallDisk(0)
  const { spool, folder } = await openSpool(t, { disk })
  strictEqual(await spool.appendIntent(makeIntent('a')), 'full')
  strictEqual(spool.level, 'full')
  room.bytes = 1024 ** 2
  await eventually('there is room', () => spool.level === 'ok')
  strictEqual(await spool.appendIntent(makeIntent('a')), 'written')
  strictEqual(readdirSync(folder).filter(name => name.startsWith('segment-')).length, 1)
})

test('P06: it starts on a full disk, and finishes what it found when there is room', async t => {
  const { spool, folder } = await openSpool(t)
  for (const id of ['a', 'b']) await spool.appendIntent(makeIntent(id))
  const { room, disk } = smallDisk(0)
  const next = await openSpool(t, { folder: copyAsCrashed(t, folder), disk })
  strictEqual(next.spool.level, 'full')
  room.bytes = 1024 ** 2
  await eventually('both are unknown', () => next.noticesOf('unknown').length === 1)
  deepStrictEqual(idsOf(await readAll(next.spool)), ['a', 'b'])
})

test('P06: finals that wait on a full disk are bounded', async t => {
  const { disk } = smallDisk(0)
  const { spool } = await openSpool(t, { disk })
  const long = { ...makeEvent('a'), requestId: 'x'.repeat(60_000) }
  let refused = 0
  for (let index = 0; index < 200; index += 1) {
    void spool.appendFinal(long).then(result => {
      if (result === 'full') refused += 1
    })
  }
  await new Promise(resolve => setImmediate(resolve))
  ok(refused > 20 && refused < 60, `${refused} of 12 MB were refused`)
})

test('P06: on a full disk what is stored makes room, around a segment whose request still runs', async t => {
  const { disk } = smallDisk(6000)
  const { spool, folder } = await openSpool(t, { disk, segmentBytes: 1000 })
  await spool.appendIntent(makeIntent('running'))
  for (let index = 0; spool.level !== 'full'; index += 1) {
    await Promise.race([
      spool.appendFinal(makeEvent(`r${index}`)),
      eventually('it is full', () => spool.level === 'full'),
    ])
  }
  await storeAll(spool)
  const segments = () => readdirSync(folder).filter(name => name.startsWith('segment-'))
  await eventually('two are left: the first and the last', () => segments().length === 2)
  const next = await openSpool(t, { folder: copyAsCrashed(t, folder) })
  deepStrictEqual(next.notices, [{ kind: 'unknown', events: 1 }])
})

test('P06: the marks say that it will be full before it is', async t => {
  const marks = { ...noMarks, highBytes: 3000, fullBytes: 6000 }
  const { spool, noticesOf } = await openSpool(t, { marks, segmentBytes: 1000 })
  const levels: string[] = []
  for (let index = 0; index < 30; index += 1) {
    const result = await spool.appendIntent(makeIntent(`r${index}`))
    levels.push(`${spool.level} ${result}`)
  }
  deepStrictEqual([...new Set(levels)], ['ok written', 'high written', 'full written', 'full full'])
  strictEqual(await spool.appendFinal(makeEvent('r0')), 'written', 'for finals there is room')
  deepStrictEqual(
    noticesOf('level').map(({ level }) => level),
    ['high', 'full'],
  )
})

test('P06: so does what is free on the disk', async t => {
  const marks = { ...noMarks, highFreeBytes: 2000, fullFreeBytes: 1000 }
  let free = 500
  const disk = { ...nodeDisk, freeBytes: async () => free }
  const { spool } = await openSpool(t, { marks, disk })
  strictEqual(spool.level, 'full')
  strictEqual(await spool.appendIntent(makeIntent('a')), 'full')
  free = 1500
  await eventually('the disk is looked at', () => spool.level === 'high')
  strictEqual(await spool.appendIntent(makeIntent('a')), 'written')
})

test('a level is left only well clear of its mark', () => {
  const marks = { highBytes: 100, fullBytes: 200, highFreeBytes: 1000, fullFreeBytes: 500 }
  const level = (spoolBytes: number, freeBytes: number | null, last: 'ok' | 'high') =>
    nextLevel(marks, { spoolBytes, freeBytes }, last)[0]
  deepStrictEqual([level(99, null, 'ok'), level(100, null, 'ok'), level(200, null, 'ok')], ['ok', 'high', 'full'])
  deepStrictEqual([level(95, null, 'high'), level(89, null, 'high')], ['high', 'ok'])
  deepStrictEqual([level(0, 1000, 'ok'), level(0, 999, 'ok'), level(0, 499, 'ok')], ['ok', 'high', 'full'])
  deepStrictEqual([level(0, 1050, 'high'), level(0, 1200, 'high')], ['high', 'ok'])
})
