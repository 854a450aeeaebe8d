import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type PickCandidate, pickTarget } from '../../src/domain/picker.ts'
import {
  candidate,
  candidatesArb,
  capacitiesOf,
  drawsOf,
  fewArb,
  loadsOf,
  manyArb,
  randomArb,
} from '../support/pick-candidates.ts'
import { seeded } from '../support/seeded.ts'

test('it takes one of the candidates, never one of weight 0, and some wherever one has a weight', () => {
  fc.assert(
    fc.property(
      candidatesArb,
      fc.array(randomArb, { minLength: 2, maxLength: 2 }),
      fc.string(),
      (all, random, liked) => {
        const picked = pickTarget(all, drawsOf(random), liked)
        if (picked === undefined) return assert.ok(all.every(({ weight }) => weight === 0))
        assert.ok(all.includes(picked))
        assert.ok(picked.weight > 0)
      },
    ),
  )
})

test('up to eight, nobody has less load, but among idle ones', () => {
  fc.assert(
    fc.property(fewArb, randomArb, (all, random) => {
      const picked = pickTarget(all, () => random)
      fc.pre(picked !== undefined)
      const loads = loadsOf(all)
      const least = Math.min(...loads.values())
      const isLeast = loads.get(picked.id) === least
      const idleLeads = all.some(({ id, inFlight }) => inFlight === 0 && loads.get(id) === least)
      assert.ok(
        isLeast || (picked.inFlight === 0 && idleLeads),
        `${picked.id}: ${loads.get(picked.id)}, least ${least}`,
      )
    }),
    { numRuns: 1000 },
  )
})

/** By capacity. */
function drawAmong(capacities: ReadonlyMap<string, number>, random: number): string | undefined {
  let left = random * [...capacities.values()].reduce((sum, capacity) => sum + capacity, 0)
  for (const [id, capacity] of capacities) {
    left -= capacity
    if (left < 0) return id
  }
  return [...capacities.keys()].at(-1)
}

test('beyond eight it looks at two that are drawn by capacity, and never takes the busier one', () => {
  fc.assert(
    fc.property(manyArb, randomArb, randomArb, (all, one, other) => {
      const capacities = capacitiesOf(all)
      fc.pre(capacities.size > 8)
      const first = drawAmong(capacities, one) ?? ''
      const others = new Map([...capacities].filter(([id]) => id !== first))
      const second = drawAmong(others, other) ?? ''
      const picked = pickTarget(all, drawsOf([one, other]))?.id ?? ''
      assert.ok(picked === first || picked === second, `${picked} is neither ${first} nor ${second}`)
      const isBusy = all.some(({ id, inFlight }) => (id === first || id === second) && inFlight > 0)
      const loads = loadsOf(all)
      const least = Math.min(loads.get(first) ?? 0, loads.get(second) ?? 0)
      if (isBusy) assert.equal(loads.get(picked), least)
      else assert.equal(picked, first)
    }),
    { numRuns: 1000 },
  )
})

/** How often each is taken while `concurrency` calls run, of which a random one ends whenever the next one comes. */
function sharesOf(candidates: readonly PickCandidate[], concurrency: number, calls = 20_000): number[] {
  const random = seeded(1)
  const inFlight = new Map(candidates.map(({ id }) => [id, 0]))
  const taken = new Map(inFlight)
  const running: string[] = []
  for (let call = 0; call < calls; call++) {
    if (running.length === concurrency) {
      const [ended = ''] = running.splice(Math.floor(random() * running.length), 1)
      inFlight.set(ended, (inFlight.get(ended) ?? 0) - 1)
    }
    const now = candidates.map(each => ({ ...each, inFlight: inFlight.get(each.id) ?? 0 }))
    const { id } = pickTarget(now, random) ?? { id: '' }
    running.push(id)
    inFlight.set(id, (inFlight.get(id) ?? 0) + 1)
    taken.set(id, (taken.get(id) ?? 0) + 1)
  }
  return candidates.map(({ id }) => (taken.get(id) ?? 0) / calls)
}

test('in the long run each gets its share, one call at a time and under load', () => {
  const four = [1, 2, 3, 4].map(weight => candidate(`w${weight}`, { weight }))
  const twelve = Array.from({ length: 12 }, (_, index) => candidate(`${index}`, { weight: (index % 3) + 1 }))
  for (const [fleet, concurrency] of [
    [four, 1],
    [four, 100],
    [twelve, 1],
    [twelve, 240],
  ] as const) {
    const whole = fleet.reduce((sum, { weight }) => sum + weight, 0)
    for (const [index, share] of sharesOf(fleet, concurrency).entries()) {
      const expected = (fleet[index]?.weight ?? 0) / whole
      assert.ok(Math.abs(share / expected - 1) < 0.1, `${concurrency} at once: ${share} instead of ${expected}`)
    }
  }
})

test('slots count as weight does, and so does what is warm of it', () => {
  const fleet = [candidate('a', { slots: 4 }), candidate('b', { slots: 8 }), candidate('c', { slots: 8, share: 0.5 })]
  for (const concurrency of [1, 100]) {
    const [a = 0, b = 0, c = 0] = sharesOf(fleet, concurrency)
    assert.ok(Math.abs(a - 0.25) < 0.02 && Math.abs(b - 0.5) < 0.02 && Math.abs(c - 0.25) < 0.02, `${a}, ${b}, ${c}`)
  }
})

test('one whose slots are unknown counts as large as the others on average', () => {
  const fleet = [candidate('a', { slots: 2 }), candidate('b', { slots: 6 }), candidate('c')]
  const [, , unknown = 0] = sharesOf(fleet, 60)
  assert.ok(Math.abs(unknown - 1 / 3) < 0.03, `${unknown}`)
})

test('a cold fleet does not send everything to the first', () => {
  const fleet = ['a', 'b', 'c'].map(id => candidate(id))
  const picked = [0, 0.4, 0.9].map(random => pickTarget(fleet, () => random)?.id)
  assert.deepEqual(picked, ['a', 'b', 'c'])
})
