import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { looksLikeJwt, parseJwt } from '../../src/domain/jwt.ts'
import { assemble, encode, hmacOf, signHs256 } from '../support/jwt-maker.ts'

const claims = { iss: 'a', aud: 'b', exp: 2_000_000_000, sub: 'c' }
const token = signHs256('secret', claims, { kid: 'one' })
const withHeader = (header: unknown) =>
  assemble(typeof header === 'string' ? header : JSON.stringify(header), JSON.stringify(claims), hmacOf('secret'))
const withPayload = (payload: string) => assemble('{"alg":"HS256"}', payload, hmacOf('secret'))

test('a token is read as it is written', () => {
  assert.deepEqual(parseJwt(token), { text: token, algorithm: 'HS256', kid: 'one', claims })
  assert.equal(parseJwt(withHeader({ alg: 'RS256' }))?.kid, null)
  for (const typ of ['JWT', 'jwt', 'at+jwt', 'AT+JWT']) assert.ok(parseJwt(withHeader({ alg: 'x', typ })), typ)
})

test('K08: headers that say too much, too little or the wrong thing are refused', () => {
  const headers = [
    {},
    { alg: 1 },
    { alg: null },
    { alg: ['HS256'] },
    { alg: 'HS256', kid: 1 },
    { alg: 'HS256', kid: null },
    { alg: 'HS256', kid: {} },
    { alg: 'HS256', kid: 'k'.repeat(257) },
    { alg: 'HS256', typ: 'JWE' },
    { alg: 'HS256', typ: 1 },
    { alg: 'HS256', crit: [] },
    { alg: 'HS256', crit: ['b64'], b64: false },
    '{"alg":"HS256","alg":"none"}',
    '{"alg":"HS256","__proto__":{}}',
    '{"alg":"HS256"} ,',
    '["HS256"]',
    '"HS256"',
    'null',
    '',
    '\ufeff{"alg":"HS256"}',
  ]
  for (const header of headers) assert.equal(parseJwt(withHeader(header)), null, JSON.stringify(header))
})

test('K08: payloads that are no JSON object of one meaning are refused', () => {
  const payloads = [
    '[]',
    '"text"',
    'null',
    '1',
    '',
    '{',
    '{"sub":"a","sub":"b"}',
    '{"a":{"b":1,"b":1}}',
    '{"exp":1e999}',
  ]
  payloads.push('{"sub":"\\ud800"}', '{"__proto__":{"sub":"a"}}', `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`)
  for (const payload of payloads) assert.equal(parseJwt(withPayload(payload)), null, payload)
  assert.equal(parseJwt(`${encode('{"alg":"HS256"}')}.${encode(Uint8Array.of(0x7b, 0xff, 0x7d))}.AAAA`), null)
})

test('K08: a token has one spelling', () => {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const others = [
    `${token}=`,
    `${token}.`,
    `${token}.${signature}`,
    `.${token}`,
    ` ${token}`,
    `${token}\n`,
    `${header}..${signature}`,
    `${header}.${payload}.`,
    `${header}.${payload}`,
    `${header}=.${payload}.${signature}`,
    `${header}.${payload}\n.${signature}`,
    `${header}.${payload}.${signature}AA`,
    `${header}.${payload}.${signature}/+`,
    token.replace('.', '\u3002'),
    `${header}.${encode('x'.repeat(9000))}.${signature}`,
  ]
  for (const text of others) assert.equal(parseJwt(text), null, text.slice(0, 300))
  // Four letters decode to the same 32 bytes of a signature; one is what encoding gives.
  const last = signature.at(-1) ?? ''
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const bytes = Buffer.from(signature, 'base64url')
  const same = [...alphabet].filter(letter => Buffer.from(signature.slice(0, -1) + letter, 'base64url').equals(bytes))
  assert.equal(same.length, 4)
  for (const letter of same) {
    const read = parseJwt(`${header}.${payload}.${signature.slice(0, -1)}${letter}`)
    assert.equal(read !== null, letter === last, letter)
  }
})

test('random text never throws, and is no token', () => {
  const segment = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_=+/. {"\n'), maxLength: 60 })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(segment).map(parts => parts.join('.')),
      ),
      text => {
        assert.equal(parseJwt(text), null)
      },
    ),
    { numRuns: 2000 },
  )
})

test('any JSON in the place of header and payload never throws', () => {
  fc.assert(
    fc.property(fc.json(), fc.json(), (header, payload) => {
      const read = parseJwt(assemble(header, payload, hmacOf('secret')))
      assert.ok(read === null || typeof read.algorithm === 'string')
    }),
    { numRuns: 1000 },
  )
})

test('a key, a preset key and a token are told apart', () => {
  assert.equal(looksLikeJwt(token), true)
  for (const text of ['sk-weir-0000000000000000-0', 'correct horse. battery. staple', 'a..b', '', 'a'.repeat(50)]) {
    assert.equal(looksLikeJwt(text), false, text)
  }
})
