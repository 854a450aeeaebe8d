import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  formatByteSize,
  formatDuration,
  guessByteSize,
  guessDuration,
  parseByteSize,
  parseDuration,
} from '../../src/config/units.ts'

const count = fc.integer({ min: 0, max: 999_999_999 })

test('a duration is its number times its unit', () => {
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  for (const [unit, factor] of Object.entries(units)) {
    fc.assert(fc.property(count, number => assert.equal(parseDuration(`${number}${unit}`), number * factor)))
  }
})

test('a size is its number times its unit', () => {
  const units = { B: 1, KiB: 1024, MiB: 1_048_576, GiB: 1_073_741_824 }
  for (const [unit, factor] of Object.entries(units)) {
    fc.assert(fc.property(count, number => assert.equal(parseByteSize(`${number}${unit}`), number * factor)))
  }
})

test('what is formatted is parsed to the same number', () => {
  fc.assert(fc.property(count, number => assert.equal(parseDuration(formatDuration(number)), number)))
  fc.assert(fc.property(count, number => assert.equal(parseByteSize(formatByteSize(number)), number)))
})

test('the format uses the largest unit that fits exactly', () => {
  assert.deepEqual([0, 1500, 90_000, 3_600_000, 172_800_000].map(formatDuration), ['0ms', '1500ms', '90s', '1h', '2d'])
  assert.deepEqual([0, 1536, 8_388_608, 2 ** 30].map(formatByteSize), ['0B', '1536B', '8MiB', '1GiB'])
})

test('no other text is a unit', () => {
  const other = fc.string().filter(text => !/^[0-9]{1,9}(ms|s|m|h|d|B|KiB|MiB|GiB)$/.test(text))
  fc.assert(
    fc.property(other, text => {
      assert.equal(parseDuration(text), undefined)
      assert.equal(parseByteSize(text), undefined)
    }),
  )
  for (const text of ['', '30', 's', '-1s', '1.5s', ' 1s', '1s ', '1S', '1e3s', '1s1ms', '10constructor', '1\n2s']) {
    assert.equal(parseDuration(text), undefined, JSON.stringify(text))
  }
  for (const text of ['8MB', '8mib', '8', '0x8B', '8M']) assert.equal(parseByteSize(text), undefined, text)
})

test('what was probably meant', () => {
  assert.deepEqual(['30 sec', '5minutes', '2H', '10 ms'].map(guessDuration), ['30s', '5m', '2h', '10ms'])
  assert.deepEqual(['8MB', '64k', '1 gb', '10b'].map(guessByteSize), ['8MiB', '64KiB', '1GiB', '10B'])
  assert.deepEqual(['fast', '1.5s', '1toString'].map(guessDuration), [undefined, undefined, undefined])
})
