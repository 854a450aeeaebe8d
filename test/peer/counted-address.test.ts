import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalizeIP } from '@fastify/rate-limit'
import fc from 'fast-check'
import { countedAddress } from '../../src/peer/counted-address.ts'

const of = (claimed: string | undefined) => countedAddress(claimed, '192.0.2.1')

test('L13 one text for every form of an IPv4 address, one for every address of a /64', () => {
  const same: Readonly<Record<string, readonly string[]>> = {
    '1.2.3.4': [
      '1.2.3.4',
      '::ffff:1.2.3.4',
      '::FFFF:1.2.3.4',
      '::ffff:102:304',
      '0:0:0:0:0:ffff:102:304',
      '1.2.3.4:5678',
    ],
    '2001:db8:0:7::': [
      '2001:db8:0:7::1',
      '2001:DB8:0:7:ffff:ffff:ffff:ffff',
      '2001:0db8:0000:0007::',
      '2001:db8::7:0:0:0:9',
      '2001:db8:0:7::1.2.3.4',
      '[2001:db8:0:7::2]',
      '[2001:db8:0:7::2]:443',
    ],
    'fe80:0:0:0::': ['fe80::1', 'fe80::2%eth0'],
    '0:0:0:0::': ['::', '::1', '::1.2.3.4'],
  }
  for (const [counted, forms] of Object.entries(same)) for (const form of forms) assert.equal(of(form), counted, form)
  assert.notEqual(of('2001:db8:0:8::1'), of('2001:db8:0:7::1'))
})

test('L13 what is no address is nobody new', () => {
  const noAddresses = [
    '',
    'unknown',
    '_hidden',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.4:',
    '1.2.3.4:123456',
    '[1.2.3.4',
    '::g',
    `fe80::1%${'x'.repeat(99)}`,
  ]
  for (const text of noAddresses) assert.equal(of(text), '192.0.2.1', text)
  assert.equal(countedAddress(undefined, '::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(countedAddress('nonsense', undefined), 'unknown')
})

test('L13 it is the network that the library would count', () => {
  const addresses = fc.oneof(fc.ipV4(), fc.ipV6())
  fc.assert(fc.property(addresses, address => normalizeIP(of(address)) === normalizeIP(address)))
})
