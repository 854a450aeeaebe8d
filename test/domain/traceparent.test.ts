import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatTraceparent, parseTraceparent } from '../../src/domain/traceparent.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'

test('what is well formed is read, of later versions as far as it is known', () => {
  assert.deepEqual(parseTraceparent(`00-${traceId}-${spanId}-01`), { traceId, spanId, isSampled: true })
  assert.equal(parseTraceparent(`00-${traceId}-${spanId}-02`)?.isSampled, false)
  assert.equal(parseTraceparent(`00-${traceId}-${spanId}-03`)?.isSampled, true)
  assert.deepEqual(parseTraceparent(`cc-${traceId}-${spanId}-01-what.the.future`), { traceId, spanId, isSampled: true })
  assert.deepEqual(parseTraceparent(`01-${traceId}-${spanId}-01`), { traceId, spanId, isSampled: true })
})

test('all else is as if it were not there', () => {
  const wrong = [
    undefined,
    '',
    [`00-${traceId}-${spanId}-01`],
    `00-${traceId}-${spanId}-01,00-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-01-`,
    `00-${traceId}-${spanId}-0`,
    `00-${traceId}-${spanId}-0g`,
    `00-${traceId}-${spanId}`,
    `ff-${traceId}-${spanId}-01`,
    `01-${traceId}-${spanId}-01.`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    ` 00-${traceId}-${spanId}-01`,
  ]
  for (const header of wrong) assert.equal(parseTraceparent(header), null, String(header))
  fc.assert(fc.property(fc.string(), header => parseTraceparent(header) === null))
})

test('what is written is what is read', () => {
  const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length - 1}}[1-9a-f]$`))
  fc.assert(
    fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, isSampled) => {
      const parent = { traceId, spanId, isSampled }
      assert.deepEqual(parseTraceparent(formatTraceparent(parent)), parent)
    }),
  )
})
