import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chooseByRendezvous, type RendezvousNode } from '../../src/domain/rendezvous.ts'

const keyArb = fc.nat({ max: 0xffff_ffff })
const nodesArb = fc.uniqueArray(
  fc.record({
    id: fc.string({ minLength: 1, maxLength: 12 }),
    weight: fc.double({ min: 0.01, max: 1000, noNaN: true }),
  }),
  { minLength: 1, maxLength: 12, selector: ({ id }) => id },
)

test('a node that comes or goes moves only its own keys', () => {
  fc.assert(
    fc.property(nodesArb, keyArb, fc.nat(), (nodes, key, at) => {
      const gone = nodes[at % nodes.length]
      const others = nodes.filter(node => node !== gone)
      const before = chooseByRendezvous(key, nodes)
      if (before !== gone?.id) assert.equal(chooseByRendezvous(key, others), before)
    }),
    { numRuns: 2000 },
  )
})

test('a node that weighs more takes keys from others, and none goes between those', () => {
  fc.assert(
    fc.property(nodesArb, keyArb, fc.nat(), (nodes, key, at) => {
      const grown = nodes[at % nodes.length]
      const after = nodes.map(node => (node === grown ? { ...node, weight: node.weight * 3 } : node))
      const [from, to] = [chooseByRendezvous(key, nodes), chooseByRendezvous(key, after)]
      assert.ok(from === to || to === grown?.id)
    }),
    { numRuns: 2000 },
  )
})

test('the order of the nodes does not matter, and without nodes there is none', () => {
  fc.assert(
    fc.property(nodesArb, keyArb, (nodes, key) => {
      assert.equal(chooseByRendezvous(key, nodes), chooseByRendezvous(key, nodes.toReversed()))
    }),
  )
  assert.equal(chooseByRendezvous(1, []), null)
})

/** How many keys in a hundred thousand each node gets; keys as a hash gives them, by a step that is odd. */
function shares(nodes: readonly RendezvousNode[]): ReadonlyMap<string | null, number> {
  const counts = new Map<string | null, number>()
  for (let index = 0; index < 100_000; index++) {
    const id = chooseByRendezvous(Math.imul(index, 0x9e3779b1), nodes)
    counts.set(id, (counts.get(id) ?? 0) + 1 / 100_000)
  }
  return counts
}

test('keys spread by weight, however much the names are alike', () => {
  const weights = [1, 1, 2, 4, 8]
  for (const prefix of ['', 'gpu-', 'http://10.0.0.', 'a-rather-long-name-of-a-backend-']) {
    const nodes = weights.map((weight, index) => ({ id: `${prefix}${index}`, weight }))
    const counts = shares(nodes)
    for (const { id, weight } of nodes) {
      assert.ok(Math.abs((counts.get(id) ?? 0) - weight / 16) < 0.005, `${id}: ${counts.get(id)}`)
    }
  }
})

test('the keys of a node that goes are shared by the others', () => {
  const nodes = ['gpu-1', 'gpu-2', 'gpu-3', 'gpu-4'].map(id => ({ id, weight: 1 }))
  const counts = new Map<string | null, number>()
  let keys = 0
  for (let index = 0; index < 100_000; index++) {
    const key = Math.imul(index, 0x9e3779b1)
    if (chooseByRendezvous(key, nodes) !== 'gpu-1') continue
    const heir = chooseByRendezvous(key, nodes.slice(1))
    counts.set(heir, (counts.get(heir) ?? 0) + 1)
    keys += 1
  }
  for (const [id, count] of counts) assert.ok(Math.abs(count / keys - 1 / 3) < 0.015, `${id}: ${count / keys}`)
  assert.equal(counts.size, 3)
})
