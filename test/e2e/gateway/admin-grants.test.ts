import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ScopeName } from '../../../src/schemas/config/tiers.ts'
import { type AdminAnswer, type AdminClient, adminOf } from '../../support/admin.ts'
import {
  accountOf,
  assertGiven,
  buildWorld,
  type KeyBody,
  makeKey,
  modelPool,
  noPower,
  type Owner,
  type Power,
  powerOf,
  powerOfAccount,
  scopePool,
  tierNames,
  tiers,
  type World,
  withinTier,
} from '../../support/grant-world.ts'

const scopesArb = fc.option(fc.subarray([...scopePool], { minLength: 1 }), { freq: 4 })
const modelsArb = fc.option(fc.subarray(modelPool, { minLength: 1 }), { freq: 4 })
const tierArb = fc.constantFrom(...tierNames)
const ownerArb = fc.tuple(tierArb, fc.boolean()).map(([tier, hasLimits]) => accountOf(tier, hasLimits))
const keyLimitsArb = fc.constantFrom(null, { requests_per_minute: 5 }, { requests_per_minute: 30 })
const times = [null, '2999-01-01T00:00:00.000Z', '2998-01-01T00:00:00.000Z'] as const
const grantArb: fc.Arbitrary<KeyBody> = fc.record({
  scopes: scopesArb,
  models: modelsArb,
  limits: keyLimitsArb,
  expires_at: fc.constantFrom(...times),
})
/** Half of those who ask have all that their tier has, or hardly anybody could make an account. */
const callerGrantArb = fc.oneof(grantArb, fc.constant<KeyBody>({ scopes: null, models: null }))
/** Most of what a tier does not have is left out of what is asked for: it would be refused for that alone. */
const isPlainArb = fc.integer({ min: 0, max: 4 }).map(n => n > 0)
const limitsArb = fc.option(fc.record({ requests_per_minute: fc.constantFrom(0, 10, 49, 50, 51, 1000, null) }))

const requestArb = fc.oneof(
  fc.record({ kind: fc.constant('create-key' as const), owner: ownerArb, grant: grantArb, isPlain: isPlainArb }),
  fc.record({
    kind: fc.constant('update-key' as const),
    owner: ownerArb,
    before: grantArb,
    grant: grantArb,
    fields: fc.subarray(['scopes', 'models', 'limits', 'expires_at'] as const),
    isPlain: isPlainArb,
  }),
  fc.record({ kind: fc.constant('rotate-key' as const), owner: ownerArb, before: grantArb }),
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

/** Does what is asked as this caller, and fails where it gave more than the caller has. */
async function attempt(world: World, as: AdminClient, bound: Power, request: Request): Promise<AdminAnswer> {
  switch (request.kind) {
    case 'create-key': {
      const { owner } = request
      const answer = await as.ask('POST', '/keys', { account: owner.name, ...askedOf(request) })
      if (answer.status === 201) assertGiven(powerOf(answer.body as never, owner), { bound, had: noPower }, 'a new key')
      return answer
    }
    case 'update-key':
      return await attemptKey(world, as, bound, request)
    case 'rotate-key': {
      const { owner } = request
      const before = await makeKey(world, owner, request.before)
      const answer = await as.ask('POST', `/keys/${before.id}/rotate`)
      if (answer.status === 201) assertGiven(powerOf(answer.body as never, owner), { bound, had: noPower }, 'rotated')
      return answer
    }
    case 'create-account': {
      const { tier, limits } = request
      const answer = await as.ask('POST', '/accounts', { name: `n${counter++}`, tier, limits })
      if (answer.status === 201) assertGiven(powerOfAccount({ tier, limits }), { bound, had: noPower }, 'an account')
      return answer
    }
    case 'update-account':
      return await attemptAccount(world, as, bound, request)
  }
}

const askedOf = ({ grant, owner, isPlain }: { grant: KeyBody; owner: Owner; isPlain: boolean }): KeyBody =>
  isPlain ? withinTier(grant, owner.tier) : grant

async function attemptKey(
  world: World,
  as: AdminClient,
  bound: Power,
  request: Extract<Request, { kind: 'update-key' }>,
): Promise<AdminAnswer> {
  const { owner, fields } = request
  const before = await makeKey(world, owner, request.before)
  const asked = askedOf(request)
  const answer = await as.ask(
    'PATCH',
    `/keys/${before.id}`,
    Object.fromEntries(fields.map(name => [name, asked[name]])),
  )
  if (answer.status !== 200) return answer
  const [had, power] = [powerOf(before, owner), powerOf(answer.body as never, owner)]
  const isLonger = power.counts.endsAtMs > had.counts.endsAtMs
  assertGiven(power, { bound, had: isLonger ? noPower : had }, 'a key')
  return answer
}

async function attemptAccount(
  { commands }: World,
  as: AdminClient,
  bound: Power,
  { tier, limits, status, next }: Extract<Request, { kind: 'update-account' }>,
): Promise<AdminAnswer> {
  const { id } = await commands.createAccount({ name: `n${counter++}`, tier, limits, status })
  const answer = await as.ask('PATCH', `/accounts/${id}`, next)
  if (answer.status === 200) {
    const isGiven = (status === 'suspended' && next.status === 'active') || next.identities !== undefined
    const had = isGiven ? noPower : powerOfAccount({ tier, limits })
    const after = { tier: next.tier ?? tier, limits: next.limits === undefined ? limits : next.limits }
    assertGiven(powerOfAccount(after), { bound, had }, 'an account')
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
      ownerArb,
      callerGrantArb,
      fc.array(requestArb, { minLength: 1, maxLength: 6 }),
      async (owner, grant, requests) => {
        const { tier } = owner
        const scopes = [...new Set<ScopeName>(['admin', ...(withinTier(grant, tier).scopes ?? tiers[tier].scopes)])]
        const caller = await makeKey(world, owner, { ...grant, scopes })
        const as = adminOf(world.gateway, caller.key)
        const bound = powerOf(caller, owner)
        for (const request of requests) {
          const { status, error } = await attempt(world, as, bound, request)
          assert.ok([200, 201, 400, 403].includes(status), `${status} ${error?.message}`)
          if (status === 403) {
            assert.match(error?.message ?? '', /^Nobody can grant what they lack: you do not have \S/)
            count(`403 ${error?.param}`)
          }
          count(`${request.kind} ${status < 300 ? 'done' : status}`)
        }
      },
    ),
    { numRuns: 150 },
  )
  // Both answers must have come, or nothing was shown; and what is counted must have been the reason for some.
  for (const kind of ['create-key', 'update-key', 'rotate-key', 'create-account', 'update-account']) {
    for (const outcome of ['done', '403']) assert.ok((counts.get(`${kind} ${outcome}`) ?? 0) > 3, `${kind} ${outcome}`)
  }
  for (const param of ['limits.requests_per_minute', 'expires_at']) assert.ok(counts.get(`403 ${param}`), param)
})
