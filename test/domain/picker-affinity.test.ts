import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findPreferred, pickTarget } from '../../src/domain/picker.ts'
import { candidate, candidatesArb, drawsOf, loadsOf, randomArb } from '../support/pick-candidates.ts'

test('the preferred one is taken until it is busier than the others by more than this call', () => {
  const [a, b] = [candidate('a', { slots: 4 }), candidate('b', { slots: 4 })]
  const pick = (ofA: number, ofB: number) =>
    pickTarget(
      [
        { ...a, inFlight: ofA },
        { ...b, inFlight: ofB },
      ],
      () => 0,
      'a',
    )?.id
  assert.equal(pick(0, 0), 'a')
  assert.equal(pick(1, 0), 'a')
  assert.equal(pick(2, 0), 'b')
  assert.equal(pick(3, 2), 'a')
  assert.equal(pick(4, 2), 'b')
  // What makes it busy is measured by its own slots: 5 of 8 are as much as 2.5 of 4.
  const large = { ...a, slots: 8 }
  assert.equal(
    pickTarget(
      [
        { ...large, inFlight: 4 },
        { ...b, inFlight: 1 },
      ],
      () => 0,
      'a',
    )?.id,
    'a',
  )
  assert.equal(
    pickTarget(
      [
        { ...large, inFlight: 5 },
        { ...b, inFlight: 1 },
      ],
      () => 0,
      'a',
    )?.id,
    'b',
  )
})

test('the preferred one is taken exactly where its load without the call is no more than the least with it', () => {
  fc.assert(
    fc.property(candidatesArb, randomArb, fc.nat(), (all, random, at) => {
      const liked = all[at % Math.max(1, all.length)]
      fc.pre(liked !== undefined && liked.weight > 0)
      const picked = pickTarget(all, drawsOf([random, random]), liked.id)
      const isBusier = (loadsOf(all, 0).get(liked.id) ?? 0) > Math.min(...loadsOf(all).values())
      if (!isBusier) return assert.equal(picked, liked)
      assert.equal(picked, pickTarget(all, drawsOf([random, random])))
    }),
    { numRuns: 1000 },
  )
})

test('one that is preferred and no candidate changes nothing', () => {
  const fleet = [candidate('a', { inFlight: 1 }), candidate('b')]
  assert.equal(pickTarget(fleet, () => 0, 'c')?.id, 'b')
  assert.equal(pickTarget([candidate('c', { weight: 0 }), ...fleet], () => 0, 'c')?.id, 'b')
})

test('only those who preferred one that is gone prefer another one', () => {
  // Where only some slots are unknown, what they count as depends on who is there.
  const knownArb = candidatesArb.map(all => all.map(each => ({ ...each, slots: each.slots ?? 4 })))
  fc.assert(
    fc.property(knownArb, fc.nat({ max: 0xffff_ffff }), fc.nat(), (all, key, at) => {
      const before = findPreferred(all, key)
      const gone = all[at % Math.max(1, all.length)]
      if (gone?.id !== before) {
        assert.equal(
          findPreferred(
            all.filter(each => each !== gone),
            key,
          ),
          before,
        )
      }
      if (before !== null) assert.notEqual(all.find(({ id }) => id === before)?.weight, 0)
    }),
    { numRuns: 1000 },
  )
})

test('what is under way does not change who is preferred; without a prefix nobody is', () => {
  fc.assert(
    fc.property(candidatesArb, fc.nat({ max: 0xffff_ffff }), fc.nat({ max: 99 }), (all, key, inFlight) => {
      assert.equal(
        findPreferred(all, key),
        findPreferred(
          all.map(each => ({ ...each, inFlight })),
          key,
        ),
      )
      assert.equal(findPreferred(all, null), null)
    }),
  )
})
