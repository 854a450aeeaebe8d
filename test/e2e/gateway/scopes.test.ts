/** Who may use which route: every cell of the table, asked of the real application. */
import { ok, rejects, strictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import routeScopes from '../../../plugins/route-scopes.ts'
import { makeApiKey } from '../../../src/domain/api-key.ts'
import { type ScopeName, scopeNames } from '../../../src/schemas/config/tiers.ts'
import { insertKey } from '../../../src/store/keys.ts'
import { type BuiltApp, buildRealApp, type Route, urlOf } from '../../architecture/app.ts'
import { signHs256 } from '../../support/jwt-maker.ts'
import { createMigratedDatabase } from '../../support/services.ts'

const issuer = 'https://issuer.example.com/'
const secret = '0f1e2d3c4b5a69788796a5b4c3d2e1f0-of-the-issuer'
/** Of the default tiers none has the scope admin; `bare` lacks most, `root` lacks none. */
const yaml = `
tiers:
  bare: { scopes: [chat] }
  root: { scopes: [${scopeNames.join(', ')}] }
auth:
  issuers:
    test:
      issuer: ${issuer}
      audience: [weir]
      secret: { env: ISSUER_SECRET }
      claims: { scopes: scope }
      scopes: [${scopeNames.join(', ')}]
`

type Headers = Readonly<Record<string, string>>

interface Caller {
  readonly name: string
  readonly headers: Headers
  readonly scopes: ReadonlySet<ScopeName>
  readonly isKey: boolean
}

async function makeAccounts({ app, config }: BuiltApp): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>()
  for (const tier of Object.keys(config.tiers)) {
    const id = crypto.randomUUID()
    await app.sql`insert into accounts (id, name, tier) values (${id}, ${tier}, ${tier})`
    await app.sql`insert into account_identities (issuer, subject, account_id) values (${issuer}, ${tier}, ${id})`
    ids.set(tier, id)
  }
  return ids
}

async function storeKey({ app }: BuiltApp, accountId: string, scopes: readonly ScopeName[] | null): Promise<string> {
  const { key, ...identity } = makeApiKey(app.peppers)
  const row = { accountId, name: 'a key', scopes, models: null, createdAt: new Date(), expiresAt: null }
  await insertKey(app.sql, { ...identity, ...row })
  return key
}

/** Every tier with all of its scopes, with each one alone, and each key by each carrier. */
async function makeCallers(built: BuiltApp): Promise<readonly Caller[]> {
  const { app, config } = built
  const accounts = await makeAccounts(built)
  const callers: Caller[] = []
  for (const [tier, accountId] of accounts) {
    const tierScopes = config.tiers[tier]?.scopes ?? []
    for (const scopes of [null, ...scopeNames.map(scope => [scope])]) {
      const key = await storeKey(built, accountId, scopes)
      // A key may be given `admin` in any tier; a tier's other scopes bound it.
      const mine = new Set((scopes ?? tierScopes).filter(scope => scope === 'admin' || tierScopes.includes(scope)))
      const label = `${tier}, ${scopes?.join() ?? 'all'}`
      const token = app.tokens.issue({
        keyId: key.slice(8, 24),
        accountId,
        scopes: [...mine],
        expiresAtMs: Date.now() + 600_000,
      })
      const claims = { iss: issuer, aud: 'weir', sub: tier, exp: Math.ceil(Date.now() / 1000) + 600 }
      const jwt = signHs256(secret, { ...claims, scope: (scopes ?? tierScopes).join(' ') })
      const caller = (carrier: string, headers: Headers, isKey: boolean) =>
        callers.push({ name: `${label}, ${carrier}`, headers, scopes: mine, isKey })
      caller('bearer', { authorization: `Bearer ${key}` }, true)
      caller('x-api-key', { 'x-api-key': key }, true)
      caller('api-key', { 'api-key': key }, true)
      caller('token', { authorization: `Bearer ${token}` }, false)
      caller('jwt', { authorization: `Bearer ${jwt}` }, false)
      caller('jwt in x-api-key', { 'x-api-key': jwt }, false)
    }
  }
  return callers
}

/** What the declaration of a route says of a caller. */
function expected({ scope, url }: Route, caller: Caller): 'in' | 403 {
  switch (scope) {
    case undefined:
      throw new Error(`${url} says nothing`)
    case 'public':
      return 'in'
    case 'any':
      // The one thing that only a key can do, and only one that may do something: be changed for a token.
      return url === '/auth/token' && !(caller.isKey && caller.scopes.size > 0) ? 403 : 'in'
    default:
      return caller.scopes.has(scope) ? 'in' : 403
  }
}

test('K02 every route lets in whom it says, in every tier, with every scope, by every carrier', async t => {
  const env = { HOST: '0.0.0.0', DATABASE_URL: await createMigratedDatabase(t), ISSUER_SECRET: secret }
  const built = await buildRealApp(t, env, yaml)
  await built.app.database.firstContact
  const callers = await makeCallers(built)
  // The page of the documentation has a route a file, all alike.
  const routes = built.routes.filter(({ url }) => !url.startsWith('/docs/'))
  ok(routes.length >= 15 && callers.length >= 200, `${routes.length} routes, ${callers.length} callers`)
  for (const route of routes) {
    const method = route.method as 'GET'
    for (const caller of callers) {
      const { statusCode, body } = await built.app.inject({ method, url: urlOf(route), headers: caller.headers })
      const cell = `${method} ${route.url} by ${caller.name} → ${statusCode}`
      if (expected(route, caller) === 'in') ok(![401, 403, 500].includes(statusCode), cell)
      else {
        strictEqual(statusCode, 403, cell)
        if (route.scope !== 'any' && method !== ('HEAD' as string)) ok(body.includes(`\\"${route.scope}\\"`), body)
      }
    }
    const stranger = await built.app.inject({ method, url: urlOf(route), headers: { 'x-api-key': 'sk-weir-none' } })
    strictEqual(stranger.statusCode === 401, route.scope !== 'public', `${method} ${route.url} by nobody`)
  }
})

test('K02 a route that does not say whom it is for fails the boot', async t => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(routeScopes)
  app.get('/said', { config: { scope: 'public' } }, async () => 'here')
  await app.register(async scope => {
    scope.get('/unsaid', async () => 'here')
  })
  await rejects(async () => await app.ready(), /config\.scope is missing.*GET \/unsaid/)
})
