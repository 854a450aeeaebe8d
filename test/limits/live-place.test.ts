import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { LivePlace } from '../../src/limits/live-place.ts'

test('before Redis has said anything it is the last of the assumed replicas', () => {
  const place = new LivePlace(4)
  deepEqual(place.current, { rank: 3, count: 4 })
})

test('more replicas are believed at once, fewer only when that lasts', () => {
  const place = new LivePlace(1)
  place.note({ rank: 1, count: 4 }, 0)
  deepEqual(place.current, { rank: 1, count: 4 })
  // After a freeze the first to beat finds itself alone.
  place.note({ rank: 0, count: 1 }, 1000)
  deepEqual(place.current, { rank: 1, count: 4 })
  place.note({ rank: 0, count: 1 }, 6000)
  deepEqual(place.current, { rank: 0, count: 1 })
  place.note({ rank: 2, count: 5 }, 6001)
  deepEqual(place.current, { rank: 2, count: 5 })
})

test('the same place is the same object, since parts of limits are kept by it', () => {
  const place = new LivePlace(1)
  place.note({ rank: 0, count: 2 }, 0)
  const { current } = place
  place.note({ rank: 0, count: 2 }, 1000)
  equal(place.current, current)
})
