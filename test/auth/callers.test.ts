import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Callers } from '../../src/auth/callers.ts'
import type { IdentityProof, KeyProof, TokenProof } from '../../src/domain/proof.ts'
import type { AccountStanding, KeyStanding, Tiers } from '../../src/domain/standing.ts'

const account: AccountStanding = {
  accountId: 'a',
  accountName: 'acme',
  accountStatus: 'active',
  tier: 'free',
  accountLimits: { requests_per_day: 9 },
}
const digest = Buffer.alloc(32, 1)
const key: KeyStanding = {
  ...account,
  publicId: 'the-key',
  digest,
  scopes: null,
  models: null,
  semanticCache: false,
  keyLimits: { requests_in_flight: 1 },
  expiresAt: null,
  revokedAt: null,
}
const farMs = Date.now() + 3_600_000
const byKey: KeyProof = { kind: 'key', publicId: 'the-key', digest }
const byToken: TokenProof = { kind: 'token', keyId: 'the-key', scopes: ['chat', 'admin'], expiresAtMs: farMs }
const byIdentity: IdentityProof = {
  kind: 'identity',
  issuer: 'https://i/',
  subject: 's',
  tier: null,
  scopes: ['chat'],
  expiresAtMs: farMs,
  isTrusted: () => true,
}
const proofs = [byKey, byToken, byIdentity]

const tierOf = (requestsPerMinute: number) => ({
  scopes: ['chat', 'models'] as const,
  models: ['*'],
  semanticCache: false,
  limits: { requestsPerMinute },
  quotas: {},
  spendLimits: {},
})

/** Callers whose database says what `stored` holds at the moment. */
function build() {
  const stored: { key: KeyStanding | null; account: AccountStanding | null; tiers: Tiers } = {
    key,
    account,
    tiers: { free: tierOf(5), gold: tierOf(50) },
  }
  let asked = 0
  const callers = new Callers({
    ttlMs: 30_000,
    tiers: () => stored.tiers,
    findKey: async id => {
      asked += 1
      return id === 'the-key' ? stored.key : null
    },
    findIdentity: async ({ issuer, subject }) => {
      asked += 1
      return issuer === 'https://i/' && subject === 's' ? stored.account : null
    },
  })
  return { callers, stored, asked: () => asked }
}

test('a proof is asked for once, and from then on its principal is the same object', async () => {
  const { callers, asked } = build()
  for (const proof of proofs) {
    assert.equal(callers.peek(proof, Date.now()), proof === byToken ? callers.peek(byToken, Date.now()) : undefined)
    const principal = await callers.resolve(proof, 'req_1')
    assert.equal(principal?.accountName, 'acme')
    assert.equal(callers.peek(proof, Date.now()), principal)
  }
  const before = asked()
  for (const proof of proofs) for (let turn = 0; turn < 10; turn += 1) callers.peek(proof, Date.now())
  assert.equal(asked(), before)
})

test('what each may do is what key or issuer and tier both allow', async () => {
  const { callers } = build()
  const scopes = async (proof: KeyProof | TokenProof | IdentityProof) => [
    ...((await callers.resolve(proof, 'req_1'))?.scopes ?? []),
  ]
  assert.deepEqual(await scopes(byKey), ['chat', 'models'])
  assert.deepEqual(await scopes(byToken), ['chat'])
  assert.deepEqual(await scopes(byIdentity), ['chat'])
})

test('a token and a JWT end at their own time, a key at its own, whatever is remembered', async () => {
  const { callers, stored } = build()
  stored.key = { ...key, expiresAt: new Date(farMs - 1000) }
  for (const proof of proofs) await callers.resolve(proof, 'req_1')
  for (const [proof, endsAtMs] of [
    [byKey, farMs - 1000],
    [byToken, farMs - 1000],
    [byIdentity, farMs],
  ] as const) {
    assert.ok(callers.peek(proof, endsAtMs - 1))
    assert.equal(callers.peek(proof, endsAtMs), null)
  }
})

test('the digest of another key of the same id is nobody, and takes nothing from the right one', async () => {
  const { callers } = build()
  assert.equal(await callers.resolve({ ...byKey, digest: Buffer.alloc(32, 2) }, 'req_1'), null)
  assert.ok(await callers.resolve(byKey, 'req_1'))
})

test('a change of the key ends key and token, one of the account all three, and a doubt has all asked again', async () => {
  const { callers, stored, asked } = build()
  const peeks = () => proofs.map(proof => callers.peek(proof, Date.now()) !== undefined)
  const learn = async () => {
    for (const proof of proofs) await callers.resolve(proof, 'req_1')
    assert.deepEqual(peeks(), [true, true, true])
  }
  await learn()
  callers.forget({ kind: 'key', id: 'the-key' })
  assert.deepEqual(peeks(), [false, false, true])
  await learn()
  callers.forget({ kind: 'account', id: 'a' })
  assert.deepEqual(peeks(), [false, false, false])
  await learn()
  callers.doubtAll()
  assert.deepEqual(peeks(), [false, false, false])

  stored.key = { ...key, accountStatus: 'suspended' }
  stored.account = { ...account, accountStatus: 'suspended' }
  const before = asked()
  for (const proof of proofs) assert.equal(await callers.resolve(proof, 'req_1'), null)
  assert.equal(asked() - before, 3)
})

test('a key and all its tokens have one set of limits, as long as what the database says of them is believed', async () => {
  const { callers } = build()
  const another: TokenProof = { ...byToken }
  const [first, ...others] = [byKey, byToken, another].map(proof => callers.resolve(proof, 'req_1'))
  const limits = (await first)?.limits
  assert.deepEqual(
    limits?.limits.map(({ of, name, size }) => [of, name, size]),
    [
      ['account', 'requests_per_minute', 5],
      ['account', 'requests_per_day', 9],
      ['key', 'requests_in_flight', 1],
    ],
  )
  assert.equal(limits?.keyId, 'the-key')
  for (const other of others) assert.equal((await other)?.limits, limits)
  for (const proof of [byKey, byToken, another]) assert.equal(callers.peek(proof, Date.now())?.limits, limits)
  callers.forget({ kind: 'key', id: 'the-key' })
  assert.equal((await callers.resolve(byKey, 'req_1'))?.limits, limits, 'the same record is the same standing')
})

test('a change of the limits is a set of its own', async () => {
  const { callers, stored } = build()
  const before = (await callers.resolve(byKey, 'req_1'))?.limits
  stored.key = { ...key, keyLimits: {} }
  callers.forget({ kind: 'key', id: 'the-key' })
  const after = (await callers.resolve(byKey, 'req_1'))?.limits
  assert.equal(after?.limits.length, 2)
  assert.notEqual(after?.fingerprint, before?.fingerprint)
})

test('a tier that a JWT gives has limits of its own, one set for all its tokens', async () => {
  const { callers } = build()
  const limitsOf = async (tier: string | null) => (await callers.resolve({ ...byIdentity, tier }, 'req_1'))?.limits
  const [own, golden] = [await limitsOf(null), await limitsOf('gold')]
  assert.deepEqual([own?.tier, own?.limits[0]?.size], ['free', 5])
  assert.deepEqual([golden?.tier, golden?.limits[0]?.size], ['gold', 50])
  assert.equal(await limitsOf('free'), own)
  assert.equal(await limitsOf('gold'), golden)
  assert.equal(own?.keyId, null)
})

test('a tier that changes is taken on by those who are known, without the database, and only what is changed is new', async () => {
  const { callers, stored, asked } = build()
  const before = await Promise.all(proofs.map(proof => callers.resolve(proof, 'req_1')))
  const count = asked()
  const peek = () => proofs.map(proof => callers.peek(proof, Date.now()))
  stored.tiers = { ...stored.tiers, gold: tierOf(60) }
  for (const [index, principal] of peek().entries()) {
    assert.ok(principal)
    // Others keep what they know of a set by the object it is.
    assert.equal(principal.limits, before[index]?.limits)
  }
  stored.tiers = { free: { ...tierOf(6), scopes: ['chat'] } }
  for (const principal of peek()) {
    assert.deepEqual([...(principal?.scopes ?? [])], ['chat'])
    assert.equal(principal?.limits.limits.find(({ name }) => name === 'requests_per_minute')?.size, 6)
  }
  assert.deepEqual(peek(), peek())
  assert.equal(asked(), count)
})
