import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { inspectLedger } from '../../src/ledger/inspect-ledger.ts'
import { segmentPath } from '../../src/ledger/segment-folder.ts'
import { eventually } from '../support/eventually.ts'
import { copyAsCrashed, openSpool } from '../support/ledger.ts'
import { makeEvent, makeIntent } from '../support/ledger-records.ts'

const contents = (folder: string) =>
  readdirSync(folder)
    .filter(name => name.startsWith('segment-') || name === 'cursor')
    .map(name => [name, crc32(readFileSync(join(folder, name)))])

test('it is told what waits, beside the process that appends, and nothing is changed by it', async t => {
  const { spool, folder } = await openSpool(t, { segmentBytes: 2500 })
  for (let index = 0; index < 10; index += 1) {
    await spool.appendIntent(makeIntent(`r${index}`))
    if (index > 2) await spool.appendFinal({ ...makeEvent(`r${index}`), atMs: 5000 - index })
  }
  const batch = await spool.next({ maxRecords: 5, maxBytes: 1024 ** 2 })
  ok(batch)
  await spool.acknowledge(batch)
  await eventually('the stored segment is swept', () => !existsSync(segmentPath(folder, 1)))
  const before = contents(folder)
  const found = await inspectLedger(folder)
  deepStrictEqual(contents(folder), before)
  strictEqual(found.waiting, spool.waiting)
  strictEqual(found.waiting, 2)
  strictEqual(found.oldestAtMs, 4991)
  strictEqual(found.open, 3)
  strictEqual(found.bytes, spool.bytes)
  deepStrictEqual(found.cursor, batch.end)
  deepStrictEqual([found.missing, found.quarantined], [[], []])
  ok(found.segments.length > 0 && found.segments.every(({ damage }) => damage === null))
})

test('every checksum is checked; the end of the newest segment may be half written', async t => {
  const { spool, folder } = await openSpool(t, { segmentBytes: 1500 })
  for (let index = 0; index < 12; index += 1) await spool.appendFinal(makeEvent(`r${index}`))
  appendFileSync(segmentPath(folder, 4), Buffer.alloc(5))
  deepStrictEqual(
    (await inspectLedger(folder)).segments.map(({ damage }) => damage),
    [null, null, null, null],
  )
  const bytes = readFileSync(segmentPath(folder, 2))
  writeFileSync(segmentPath(folder, 2), bytes.fill(0, 100, 101))
  appendFileSync(segmentPath(folder, 3), Buffer.alloc(5))
  const end = bytes.length
  const damaged = (await inspectLedger(folder)).segments.map(({ damage }) => damage)
  deepStrictEqual(damaged, [
    null,
    { offset: 0, reason: 'a wrong checksum' },
    { offset: end, reason: 'a record that is not whole' },
    null,
  ])
  rmSync(segmentPath(folder, 2))
  deepStrictEqual((await inspectLedger(folder)).missing, [{ from: 2, to: 2 }])
  const copy = copyAsCrashed(t, folder)
  await openSpool(t, { folder: copy })
  deepStrictEqual((await inspectLedger(copy)).quarantined.length, 3)
})
