import assert from 'node:assert/strict'
import { createHmac, createSecretKey } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { apiKeyLength, formatApiKey, isSameDigest, makeApiKey, parseApiKey } from '../../src/domain/api-key.ts'
import { encodeBase62 } from '../../src/domain/base62.ts'
import { peppersOf } from '../support/peppers.ts'

const peppers = peppersOf('a pepper that is long enough for tests')
const parts = fc.tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ minLength: 11, maxLength: 11 }))
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

test('a key that was made is read back as itself', () => {
  fc.assert(
    fc.property(parts, ([secret, random]) => {
      const { key, ...identity } = formatApiKey(peppers, secret, random)
      assert.equal(key.length, apiKeyLength)
      assert.match(key, /^sk-weir-[0-9A-Za-z]{16}-[0-9A-Za-z]{54}$/)
      assert.deepEqual(parseApiKey(peppers, key), identity)
    }),
  )
})

test('a key with any one character changed is refused by its checksum', () => {
  const flip = fc.tuple(parts, fc.nat(apiKeyLength - 9), fc.constantFrom(...base62))
  fc.assert(
    fc.property(flip, ([[secret, random], at, character]) => {
      const { key } = formatApiKey(peppers, secret, random)
      const index = 'sk-weir-'.length + at
      fc.pre(key[index] !== character)
      assert.equal(parseApiKey(peppers, key.slice(0, index) + character + key.slice(index + 1)), null)
    }),
    { numRuns: 1000 },
  )
})

test('no text makes the reader throw, and none is a key by chance', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.stringMatching(/^sk-weir-[0-9A-Za-z]{16}-[0-9A-Za-z]{54}$/),
  )
  fc.assert(fc.property(text, presented => parseApiKey(peppers, presented) === null))
})

test('what is stored or shown of a key is not a key', () => {
  const { publicId, digest, key } = makeApiKey(peppers)
  for (const text of [publicId, digest.toString('hex'), digest.toString('base64'), key.slice(0, 40), `${key} `]) {
    assert.equal(parseApiKey(peppers, text), null)
  }
})

test('a key names the version of its pepper, and works for as long as that version is known', () => {
  const old = peppersOf('the first pepper of this installation')
  const both = peppersOf('the first pepper of this installation', 'the second pepper of this installation')
  const onlyNew = { current: 2, byVersion: new Map([...both.byVersion].slice(1)) }
  const { key, publicId } = makeApiKey(old)
  assert.equal(publicId[0], '1')
  assert.equal(parseApiKey(both, key)?.pepperVersion, 1)
  assert.equal(parseApiKey(onlyNew, key), null)
  assert.equal(makeApiKey(both).publicId[0], '2')
  assert.equal(parseApiKey(peppersOf('the pepper of another installation'), key), null)
})

test('the format is pinned: keys that were given out work for ever', () => {
  const { key, digest } = formatApiKey(
    peppersOf('x'.repeat(32)),
    new Uint8Array(32).fill(7),
    new Uint8Array(11).fill(9),
  )
  const [, publicId = '', rest = ''] = /^sk-weir-([^-]+)-(.+)$/.exec(key) ?? []
  const secret = rest.slice(0, 43)
  const pepper = createSecretKey('x'.repeat(32), 'utf8')
  const checksum = createHmac('sha256', pepper)
    .update(publicId + secret)
    .digest()
    .subarray(0, 8)
  assert.equal(rest.slice(43), encodeBase62(checksum, 11))
  assert.deepEqual(digest, createHmac('sha256', pepper).update(`weir:api-key:digest:1\0${key}`).digest())
  const pinned = ['sk-weir', '10sbe71MFiBWB1c9', '1fJjkkpe9PiTw9KSulA8Ghct30vZz4HpdQ5c5b9cPF1DSNKZyCJnJQ']
  assert.equal(key, pinned.join('-'))
})

test('digests of different length are not the same', () => {
  assert.equal(isSameDigest(new Uint8Array(32), new Uint8Array(32)), true)
  assert.equal(isSameDigest(new Uint8Array(32), new Uint8Array(31)), false)
})

test('bytes that do not fit are refused, not cut', () => {
  assert.throws(() => encodeBase62(new Uint8Array(32).fill(255), 42), RangeError)
  assert.equal(encodeBase62(new Uint8Array(0), 3), '000')
})
