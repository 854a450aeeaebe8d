import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { shareLimits, shareOf } from '../../src/domain/limit-share.ts'
import { limitSet, rate } from '../support/limit-sets.ts'

test('the parts of all replicas add up to the whole, and none is more than one larger than another', () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), fc.integer({ min: 1, max: 50 }), (total, count) => {
      const parts = Array.from({ length: count }, (_, rank) => shareOf(total, { rank, count }))
      equal(
        parts.reduce((sum, part) => sum + BigInt(part), 0n),
        BigInt(total),
      )
      ok(Math.max(...parts) - Math.min(...parts) <= 1)
    }),
  )
})

test('a limit that is smaller than the number of replicas is served by some of them', () => {
  const parts = [0, 1, 2, 3].map(rank => shareOf(2, { rank, count: 4 }))
  equal(parts.join(), '1,1,0,0')
})

test('size and capacity of a rate are both divided', () => {
  const set = limitSet([rate({ size: 10, capacity: 21 })])
  const [part] = shareLimits(set, { rank: 0, count: 4 }).limits
  ok(part?.kind === 'rate')
  equal(part.size, 3)
  equal(part.capacity, 6)
})
