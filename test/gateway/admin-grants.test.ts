import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ScopeName } from '../../src/schemas/config/tiers.ts'
import { type AdminAnswer, type AdminClient, adminOf } from '../support/admin.ts'
import {
  assertWithin,
  buildWorld,
  type KeyBody,
  limitOf,
  makeKey,
  modelPool,
  noPower,
  type Power,
  powerOf,
  scopePool,
  type TierName,
  tierNames,
  tiers,
  union,
  type World,
  withinTier,
} from '../support/grant-world.ts'

const scopesArb = fc.option(fc.subarray([...scopePool], { minLength: 1 }), { freq: 4 })
const modelsArb = fc.option(fc.subarray(modelPool, { minLength: 1 }), { freq: 4 })
const tierArb = fc.constantFrom(...tierNames)
const grantArb = fc.record({ scopes: scopesArb, models: modelsArb })
/** Most of what a tier does not have is left out of what is asked for: it would be refused for that alone. */
const isPlainArb = fc.integer({ min: 0, max: 4 }).map(n => n > 0)
const limitsArb = fc.option(fc.record({ requests_per_minute: fc.constantFrom(0, 10, 49, 50, 51, 1000, null) }))
const endArb = fc.constantFrom(undefined, null, '2999-01-01T00:00:00.000Z', '2998-01-01T00:00:00.000Z')

const requestArb = fc.oneof(
  fc.record({ kind: fc.constant('create-key' as const), tier: tierArb, grant: grantArb, isPlain: isPlainArb }),
  fc.record({
    kind: fc.constant('update-key' as const),
    tier: tierArb,
    before: grantArb,
    grant: grantArb,
    end: endArb,
    isPlain: isPlainArb,
  }),
  fc.record({ kind: fc.constant('rotate-key' as const), tier: tierArb, before: grantArb }),
  fc.record({ kind: fc.constant('create-account' as const), tier: tierArb, limits: limitsArb }),
  fc.record({
    kind: fc.constant('update-account' as const),
    tier: tierArb,
    limits: limitsArb,
    status: fc.constantFrom('active' as const, 'suspended' as const),
    next: fc.record(
      {
        tier: tierArb,
        limits: limitsArb,
        status: fc.constantFrom('active', 'suspended'),
        identities: fc.constant([{ issuer: 'https://id.example', subject: 'x' }]),
      },
      { requiredKeys: [] },
    ),
  }),
)

let counter = 0

type Request = typeof requestArb extends fc.Arbitrary<infer Value> ? Value : never
type Bound = Power & { readonly limit: number }

/** Does what is asked as this caller, and fails where it gave more than the caller has. */
async function attempt(world: World, as: AdminClient, bound: Bound, request: Request): Promise<AdminAnswer> {
  switch (request.kind) {
    case 'create-key': {
      const answer = await as.ask('POST', '/keys', { account: request.tier, ...askedOf(request) })
      if (answer.status === 201) assertWithin(powerOf(answer.body as never, request.tier), bound, 'a new key')
      return answer
    }
    case 'update-key': {
      const before = await makeKey(world, request.tier, request.before)
      const body = { ...askedOf(request), ...(request.end !== undefined && { expires_at: request.end }) }
      const answer = await as.ask('PATCH', `/keys/${before.id}`, body)
      const isLonger = request.end === null || (request.end ?? '') > '2998-06'
      const had = isLonger ? noPower : powerOf(before, request.tier)
      if (answer.status === 200) assertWithin(powerOf(answer.body as never, request.tier), union(bound, had), 'a key')
      return answer
    }
    case 'rotate-key': {
      const before = await makeKey(world, request.tier, request.before)
      const answer = await as.ask('POST', `/keys/${before.id}/rotate`)
      if (answer.status === 201) assertWithin(powerOf(answer.body as never, request.tier), bound, 'a rotated key')
      return answer
    }
    case 'create-account': {
      const { tier, limits } = request
      const answer = await as.ask('POST', '/accounts', { name: `n${counter++}`, tier, limits })
      if (answer.status !== 201) return answer
      assertWithin(powerOf({ scopes: null, models: null }, tier), bound, 'an account')
      assert.ok(limitOf(tier, limits) <= bound.limit, 'its limits')
      return answer
    }
    case 'update-account':
      return await attemptAccount(world, as, bound, request)
  }
}

const askedOf = ({ grant, tier, isPlain }: { grant: KeyBody; tier: TierName; isPlain: boolean }): KeyBody =>
  isPlain ? withinTier(grant, tier) : grant

async function attemptAccount(
  { commands }: World,
  as: AdminClient,
  bound: Bound,
  { tier, limits, status, next }: Extract<Request, { kind: 'update-account' }>,
): Promise<AdminAnswer> {
  const { id } = await commands.createAccount({ name: `n${counter++}`, tier, limits, status })
  const answer = await as.ask('PATCH', `/accounts/${id}`, next)
  if (answer.status === 200) {
    const isGiven = (status === 'suspended' && next.status === 'active') || next.identities !== undefined
    const all = { scopes: null, models: null }
    const had = isGiven ? noPower : powerOf(all, tier)
    const [newTier, newLimits] = [next.tier ?? tier, next.limits === undefined ? limits : next.limits]
    assertWithin(powerOf(all, newTier), union(bound, had), 'an account')
    const hadLimit = isGiven ? 0 : limitOf(tier, limits)
    assert.ok(limitOf(newTier, newLimits) <= Math.max(bound.limit, hadLimit), 'its limits')
  }
  await commands.deleteAccount({ account: id })
  return answer
}

test('K04 whatever an administrator asks for, nobody gets more than it has itself', async t => {
  const world = await buildWorld(t)
  const counts = new Map<string, number>()
  const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)
  await fc.assert(
    fc.asyncProperty(
      tierArb,
      grantArb,
      fc.array(requestArb, { minLength: 1, maxLength: 6 }),
      async (tier, grant, requests) => {
        const scopes = [...new Set<ScopeName>(['admin', ...(withinTier(grant, tier).scopes ?? tiers[tier].scopes)])]
        const caller = await makeKey(world, tier, { ...grant, scopes })
        const as = adminOf(world.gateway, caller.key)
        const bound = { ...powerOf(caller, tier), limit: tiers[tier].rpm ?? Number.POSITIVE_INFINITY }
        for (const request of requests) {
          const { status, error } = await attempt(world, as, bound, request)
          assert.ok([200, 201, 400, 403].includes(status), `${status} ${error?.message}`)
          if (status === 403) assert.match(error?.message ?? '', /^Nobody can grant what they lack: you do not have \S/)
          count(`${request.kind} ${status < 300 ? 'done' : status}`)
        }
      },
    ),
    { numRuns: 150 },
  )
  // Both answers must have come, or nothing was shown.
  for (const kind of ['create-key', 'update-key', 'rotate-key', 'create-account', 'update-account']) {
    for (const outcome of ['done', '403']) assert.ok((counts.get(`${kind} ${outcome}`) ?? 0) > 3, `${kind} ${outcome}`)
  }
})
