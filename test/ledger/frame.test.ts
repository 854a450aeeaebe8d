import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeFrames, encodeFrame, maxPayloadBytes } from '../../src/ledger/frame.ts'

const records = fc.array(fc.tuple(fc.nat({ max: 255 }), fc.string({ unit: 'binary', maxLength: 40 })), { maxLength: 8 })

const encodeAll = (all: readonly (readonly [number, string])[]) => all.map(([kind, text]) => encodeFrame(kind, text))
const contentsOf = (bytes: Buffer) => decodeFrames(bytes).frames.map(({ kind, payload }) => [kind, payload.toString()])

test('what is encoded is decoded, in order and to the end', () => {
  fc.assert(
    fc.property(records, all => {
      const bytes = Buffer.concat(encodeAll(all))
      deepStrictEqual(contentsOf(bytes), all)
      const { end, damage } = decodeFrames(bytes)
      deepStrictEqual([end, damage], [bytes.length, null])
    }),
  )
})

test('cut off anywhere, the whole records before the cut are there, and it is not called damage', () => {
  fc.assert(
    fc.property(records, fc.nat(), (all, at) => {
      const frames = encodeAll(all)
      const bytes = Buffer.concat(frames)
      const cut = at % (bytes.length + 1)
      let whole = 0
      for (let end = 0; whole < frames.length; whole += 1) {
        end += frames[whole]?.length ?? 0
        if (end > cut) break
      }
      deepStrictEqual(contentsOf(bytes.subarray(0, cut)), all.slice(0, whole))
      strictEqual(decodeFrames(bytes.subarray(0, cut)).damage, null)
    }),
  )
})

test('P07: a changed bit ends what is read at its record, wherever it is', () => {
  fc.assert(
    fc.property(
      records.filter(all => all.length > 0),
      fc.nat(),
      fc.nat({ max: 7 }),
      (all, at, bit) => {
        const frames = encodeAll(all)
        const bytes = Buffer.concat(frames)
        const place = at % bytes.length
        bytes.writeUInt8(bytes.readUInt8(place) ^ (1 << bit), place)
        let intact = 0
        for (let end = frames[0]?.length ?? 0; end <= place; end += frames[intact]?.length ?? 0) intact += 1
        deepStrictEqual(contentsOf(bytes), all.slice(0, intact))
        ok(decodeFrames(bytes).end < bytes.length)
      },
    ),
  )
})

test('a disk full of zeros holds no record', () => {
  const { frames, damage } = decodeFrames(Buffer.alloc(4096))
  strictEqual(frames.length, 0)
  ok(damage?.includes('checksum'))
})

test('a record may have 64 KiB and no more', () => {
  strictEqual(decodeFrames(encodeFrame(1, 'x'.repeat(maxPayloadBytes))).frames.length, 1)
  throws(() => encodeFrame(1, 'x'.repeat(maxPayloadBytes + 1)), RangeError)
  throws(() => encodeFrame(1, 'ä'.repeat(maxPayloadBytes / 2 + 1)), RangeError)
})
