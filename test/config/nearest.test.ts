import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nearest } from '../../src/config/nearest.ts'

const keys = ['host', 'port', 'internalPort', 'trustedProxies', 'maxBody', 'aliases', 'weight']

test('slips of the finger find their key', () => {
  const slips: readonly (readonly [string, string])[] = [
    ['prot', 'port'],
    ['hots', 'host'],
    ['wieght', 'weight'],
    ['alias', 'aliases'],
    ['max_body', 'maxBody'],
    ['MAXBODY', 'maxBody'],
    ['internal-port', 'internalPort'],
    ['trustProxies', 'trustedProxies'],
  ]
  for (const [given, meant] of slips) assert.equal(nearest(given, keys), meant, given)
})

test('what is far from everything finds nothing', () => {
  for (const given of ['', 'database', 'x', 'zzzzzzzz']) assert.equal(nearest(given, keys), undefined, given)
})

test('each key is nearest to itself', () => {
  fc.assert(fc.property(fc.constantFrom(...keys), key => assert.equal(nearest(key, keys), key)))
})

test('it ends soon, whatever is given', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 100_000 }), text => void nearest(text, keys)),
    { numRuns: 50 },
  )
})
