import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findCredential } from '../../src/domain/credential.ts'

function carrier(...pairs: readonly (readonly [string, string])[]) {
  const headers: Record<string, string> = {}
  // As Node does it: of two Authorization headers the first stays, others are joined.
  for (const [name, value] of pairs) {
    const known = headers[name.toLowerCase()]
    if (known === undefined) headers[name.toLowerCase()] = value
    else if (name.toLowerCase() !== 'authorization') headers[name.toLowerCase()] = `${known}, ${value}`
  }
  return { headers, rawHeaders: pairs.flat() }
}

test('each carrier is read, and the scheme in any case', () => {
  const cases = [
    [['Authorization', 'Bearer secret']],
    [['authorization', 'bearer secret']],
    [['AUTHORIZATION', 'BEARER   secret ']],
    [['X-Api-Key', 'secret']],
    [['Api-Key', 'secret']],
  ] as const
  for (const pairs of cases)
    assert.deepEqual(findCredential(carrier(...pairs)), { kind: 'presented', secret: 'secret' })
})

test('one credential sent twice by different carriers is one', () => {
  const same = carrier(['Authorization', 'Bearer secret'], ['x-api-key', 'secret'], ['api-key', 'secret'])
  assert.deepEqual(findCredential(same), { kind: 'presented', secret: 'secret' })
})

test('nothing, or nothing in it, is none', () => {
  assert.equal(findCredential(carrier()).kind, 'none')
  assert.equal(findCredential(carrier(['Authorization', 'Bearer'])).kind, 'none')
  assert.equal(findCredential(carrier(['Authorization', 'Bearer '], ['x-api-key', ''])).kind, 'none')
})

test('what could mean two callers, or another scheme, is unusable', () => {
  const cases = [
    [
      ['Authorization', 'Bearer a'],
      ['authorization', 'Bearer b'],
    ],
    [
      ['Authorization', 'Bearer a'],
      ['Authorization', 'Bearer a'],
    ],
    [
      ['Authorization', 'Bearer a'],
      ['x-api-key', 'b'],
    ],
    [
      ['x-api-key', 'a'],
      ['api-key', 'b'],
    ],
    [['Authorization', 'Basic YTpi']],
    [['Authorization', 'Bearersecret']],
    [
      ['Authorization', 'Basic YTpi'],
      ['x-api-key', 'a'],
    ],
  ] as const
  for (const pairs of cases) assert.equal(findCredential(carrier(...pairs)).kind, 'unusable', JSON.stringify(pairs))
})
