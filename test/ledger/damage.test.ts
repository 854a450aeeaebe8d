import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeFrames, encodeFrame, type Frame } from '../../src/ledger/frame.ts'
import type { SegmentDamage } from '../../src/ledger/ledger-notice.ts'
import { type LedgerPosition, listSegments, segmentPath } from '../../src/ledger/segment-folder.ts'
import { copyAsCrashed, idsOf, openSpool, readAll } from '../support/ledger.ts'
import { makeEvent } from '../support/ledger-records.ts'

interface LeftSegment {
  readonly number: number
  readonly path: string
  readonly frames: readonly Frame[]
  readonly ids: readonly string[]
}

type LeftSegments = { readonly folder: string } & Record<'first' | 'second' | 'newest', LeftSegment>

const ids = Array.from({ length: 12 }, (_, index) => `event-${index}`)

/** Twelve finals in some segments, as a killed process leaves them. */
async function leaveSegments(t: TestContext): Promise<LeftSegments> {
  const { spool, folder } = await openSpool(t, { segmentBytes: 2500 })
  for (const id of ids) await spool.appendFinal(makeEvent(id))
  const left = copyAsCrashed(t, folder)
  const segments = await Promise.all(
    (await listSegments(left)).map(async number => {
      const path = segmentPath(left, number)
      const { frames } = decodeFrames(readFileSync(path))
      return { number, path, frames, ids: frames.map(({ payload }): string => JSON.parse(payload.toString()).id) }
    }),
  )
  const [first, second] = segments
  ok(first && second && segments.length > 2 && second.frames.length > 2)
  return { folder: left, first, second, newest: segments.at(-1) ?? second }
}

function flip(path: string, place: number): void {
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(place) ^ 0x10, place)
  writeFileSync(path, bytes)
}

test('P07: a torn last record is moved away, and everything before it is used', async t => {
  const { folder, newest } = await leaveSegments(t)
  const last = newest.frames.at(-1)
  ok(last)
  for (const cut of [last.start + 1, last.start + 8, last.start + 9, last.end - 1]) {
    const copy = copyAsCrashed(t, folder)
    truncateSync(segmentPath(copy, newest.number), cut)
    const { spool, notices } = await openSpool(t, { folder: copy })
    const keptAs: string = `segment-${newest.number}-from-${last.start}.bin`
    const damage: SegmentDamage = { reason: 'a record that is not whole', bytes: cut - last.start }
    const place: LedgerPosition = { segment: newest.number, offset: last.start }
    deepStrictEqual(notices, [{ kind: 'damage', at: place, damage, keptAs, lost: 1 }])
    strictEqual(readFileSync(join(copy, 'quarantine', keptAs)).length, cut - last.start)
    strictEqual(readFileSync(segmentPath(copy, newest.number)).length, last.start)
    deepStrictEqual(idsOf(await readAll(spool)), ids.slice(0, -1))
  }
})

test('P07: behind a flipped byte the rest of its segment is quarantined; segments before and after it are used', async t => {
  const { folder, second } = await leaveSegments(t)
  const hurt = second.frames[1]
  ok(hurt)
  // Checksum, length (shorter, longer, absurd), kind, payload.
  for (const place of [0, 3, 4, 6, 7, 8, 9, hurt.end - hurt.start - 1]) {
    const copy = copyAsCrashed(t, folder)
    const path = segmentPath(copy, second.number)
    flip(path, hurt.start + place)
    const tail = readFileSync(path).subarray(hurt.start)
    const { spool, notices, noticesOf } = await openSpool(t, { folder: copy })
    const [damage] = noticesOf('damage')
    deepStrictEqual(damage?.at, { segment: second.number, offset: hurt.start }, `byte ${place}`)
    strictEqual(notices.length, 1)
    deepStrictEqual(readFileSync(join(copy, 'quarantine', damage?.keptAs ?? '')), tail)
    const lines = readFileSync(join(copy, 'quarantine', 'tails.jsonl'), 'utf8')
    strictEqual(JSON.parse(lines).reason, damage?.damage.reason)
    deepStrictEqual(
      idsOf(await readAll(spool)),
      ids.filter(id => !second.ids.slice(1).includes(id)),
    )
    strictEqual(spool.waiting, ids.length - second.ids.length + 1)
    const again = await openSpool(t, { folder: copyAsCrashed(t, copy) })
    deepStrictEqual(again.notices, [], 'it is told once')
  }
})

test('P07: a segment that is missing is told, and the others are used', async t => {
  const { folder, second } = await leaveSegments(t)
  rmSync(second.path)
  const { spool, notices } = await openSpool(t, { folder })
  deepStrictEqual(notices, [{ kind: 'segments_missing', from: second.number, to: second.number }])
  deepStrictEqual(
    idsOf(await readAll(spool)),
    ids.filter(id => !second.ids.includes(id)),
  )
})

test('P07: so is the one that the cursor is in, be it the only one', async t => {
  const { spool, folder } = await openSpool(t)
  for (const id of ['a', 'b']) await spool.appendFinal(makeEvent(id))
  const batch = await spool.next({ maxRecords: 1, maxBytes: 1024 })
  ok(batch)
  await spool.acknowledge(batch)
  const copy = copyAsCrashed(t, folder)
  rmSync(segmentPath(copy, 1))
  const next = await openSpool(t, { folder: copy })
  deepStrictEqual(next.notices, [{ kind: 'segments_missing', from: 1, to: 1 }])
  await next.spool.appendFinal(makeEvent('c'))
  deepStrictEqual(idsOf(await readAll(next.spool)), ['c'])
})

test('a damaged cursor is told, and everything is handed out again', async t => {
  const { spool, folder } = await openSpool(t)
  for (const id of ['a', 'b']) await spool.appendFinal(makeEvent(id))
  const batch = await spool.next({ maxRecords: 1, maxBytes: 1024 })
  ok(batch)
  await spool.acknowledge(batch)
  const copy = copyAsCrashed(t, folder)
  flip(join(copy, 'cursor'), 0)
  const next = await openSpool(t, { folder: copy })
  deepStrictEqual(next.notices, [{ kind: 'cursor_damaged' }])
  deepStrictEqual(idsOf(await readAll(next.spool)), ['a', 'b'])
})

test('damage that comes while the process runs is passed over, kept and told', async t => {
  const { folder, first } = await leaveSegments(t)
  const { spool, noticesOf } = await openSpool(t, { folder })
  const hurt = first.frames[1]
  ok(hurt)
  flip(first.path, hurt.start + 20)
  deepStrictEqual(
    idsOf(await readAll(spool)),
    ids.filter(id => !first.ids.slice(1).includes(id)),
  )
  const keptAs = `segment-${first.number}-from-${hurt.start}.bin`
  deepStrictEqual(
    noticesOf('damage').map(notice => [notice.keptAs, notice.lost]),
    [[keptAs, first.ids.length - 1]],
  )
  ok(readFileSync(join(folder, 'quarantine', keptAs)).length > 0)
})

test('a record that this version does not know is handed out as it is', async t => {
  const { folder, newest } = await leaveSegments(t)
  const records = [encodeFrame(77, '{"id":"new"}'), encodeFrame(2, 'not JSON'), encodeFrame(2, '[]')]
  writeFileSync(newest.path, Buffer.concat([readFileSync(newest.path), ...records]))
  const { spool, notices } = await openSpool(t, { folder })
  deepStrictEqual(notices, [])
  strictEqual(spool.waiting, ids.length + 3)
  const batch = await spool.next({ maxRecords: 100, maxBytes: 1024 ** 2 })
  deepStrictEqual(idsOf(batch?.events ?? []), ids)
  deepStrictEqual(
    batch?.unreadable.map(({ text }) => text),
    ['{"id":"new"}', 'not JSON', '[]'],
  )
  ok(batch?.unreadable[0]?.reason.includes('77'))
})
