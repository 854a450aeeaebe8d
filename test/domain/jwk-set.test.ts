import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { findKey, parseJwkSet } from '../../src/domain/jwk-set.ts'
import { type Json, jwkOf, makeKeyPair } from '../support/jwt-maker.ts'

const rsa = makeKeyPair('RS256')
const ec = makeKeyPair('ES256')
const ed = makeKeyPair('EdDSA')
const keysOf = (...keys: readonly unknown[]) => parseJwkSet({ keys })

test('each kind of key is kept with its algorithm', () => {
  assert.deepEqual(keysOf(jwkOf(rsa, 'r'), jwkOf(ec, 'e'), jwkOf(ed)), [
    { kid: 'r', algorithm: 'RS256', pem: rsa.pem },
    { kid: 'e', algorithm: 'ES256', pem: ec.pem },
    { kid: null, algorithm: 'EdDSA', pem: ed.pem },
  ])
  const bare: Json = { ...rsa.publicKey.export({ format: 'jwk' }), key_ops: ['verify'], x5c: ['x'], n5: 1 }
  assert.equal(keysOf(bare)?.length, 1)
})

test('K08: what cannot or must not check a signature is passed over', () => {
  const weak = makeKeyPair('RS256', 1024)
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' })
  const ed448 = generateKeyPairSync('ed448').publicKey.export({ format: 'jwk' })
  const passedOver: readonly unknown[] = [
    { kty: 'oct', k: 'c2VjcmV0', kid: 'a' },
    { kty: 'constructor' },
    {},
    null,
    'text',
    [],
    jwkOf(weak, 'a'),
    { ...p384, kid: 'a' },
    { ...ed448, kid: 'a' },
    jwkOf(rsa, 'a', { use: 'enc' }),
    jwkOf(rsa, 'a', { alg: 'RS512' }),
    jwkOf(rsa, 'a', { alg: 'HS256' }),
    jwkOf(rsa, 'a', { alg: null }),
    jwkOf(ec, 'a', { alg: 'RS256' }),
    jwkOf(rsa, 'a', { key_ops: ['encrypt'] }),
    jwkOf(rsa, 'a', { key_ops: 'verify' }),
    jwkOf(rsa, 'a', { kid: 1 }),
    jwkOf(rsa, 'a', { n: 1 }),
    jwkOf(rsa, 'a', { n: undefined }),
    jwkOf(rsa, 'a', { e: 'AQ' }),
    jwkOf(ec, 'a', { x: 'AAAA' }),
    { ...ed.privateKey.export({ format: 'jwk' }), kid: 'a' },
  ]
  for (const entry of passedOver)
    assert.deepEqual(
      keysOf(entry, jwkOf(ed, 'b'))?.map(key => key.kid),
      ['b'],
      JSON.stringify(entry),
    )
})

test('what is no set of keys, or too large a one', () => {
  for (const value of [null, [], 'keys', {}, { keys: {} }, { keys: Array(101).fill(jwkOf(ed)) }]) {
    assert.equal(parseJwkSet(value), null)
  }
  assert.deepEqual(parseJwkSet({ keys: [] }), [])
})

test('a key is found by its name and algorithm; without a name only where no other could be meant', () => {
  const keys = keysOf(jwkOf(rsa, 'a'), jwkOf(ec, 'a'), jwkOf(ed)) ?? []
  const other = keysOf(jwkOf(makeKeyPair('EdDSA'), 'c')) ?? []
  assert.equal(findKey(keys, 'a', 'RS256')?.pem, rsa.pem)
  assert.equal(findKey(keys, 'a', 'ES256')?.pem, ec.pem)
  assert.equal(findKey(keys, 'a', 'EdDSA'), undefined)
  assert.equal(findKey(keys, 'b', 'RS256'), undefined)
  assert.equal(findKey(keys, '', 'EdDSA'), undefined)
  assert.equal(findKey(keys, null, 'EdDSA')?.pem, ed.pem)
  assert.equal(findKey(keys, null, 'RS256')?.pem, rsa.pem)
  assert.equal(findKey([...keys, ...other], null, 'EdDSA'), undefined)
})
