import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstIdAt, makeTimeOrderedId, timeOfId } from '../../src/domain/time-ordered-id.ts'

test('an id is a UUID of version 7 and sorts by its time', () => {
  const times = [0, 1, 255, 256, 1_700_000_000_000, 1_700_000_000_001, 2 ** 48 - 1]
  const ids = times.map(makeTimeOrderedId)
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  for (const [index, id] of ids.slice(1).entries()) assert.ok(id > (ids[index] ?? ''))
  assert.equal(new Set(Array.from({ length: 1000 }, () => makeTimeOrderedId(1))).size, 1000)
})

test('the first id of a millisecond is before all of it and behind all before it', () => {
  for (const timeMs of [1, 255, 256, 1_700_000_000_000, 2 ** 48 - 1]) {
    assert.ok(makeTimeOrderedId(timeMs - 1) < firstIdAt(timeMs))
    assert.ok(firstIdAt(timeMs) < makeTimeOrderedId(timeMs))
  }
})

test('the time of an id is read from it, and from no other', () => {
  for (const timeMs of [0, 1_700_000_000_000, 2 ** 48 - 1]) {
    const id = makeTimeOrderedId(timeMs).replaceAll('-', '')
    assert.equal(timeOfId(`req_${id}`), timeMs)
    assert.equal(timeOfId(id), timeMs)
    for (const other of [
      `req_0${id}`,
      `req_${id}0`,
      `req_${id.slice(1)}`,
      `req_${id.slice(0, 12)}4${id.slice(13)}`,
      '',
    ]) {
      assert.equal(timeOfId(other), null, other)
    }
  }
})
