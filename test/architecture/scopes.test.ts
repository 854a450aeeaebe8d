import { ok, strictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { type ScopeName, scopeNames } from '../../src/schemas/config/tiers.ts'
import { makeKey } from '../support/keys.ts'
import { createDatabase } from '../support/services.ts'
import { buildRealApp, urlOf } from './app.ts'

test('the scope that a route names is the one that it asks for', async t => {
  const built = await buildRealApp(t, { HOST: '0.0.0.0', DATABASE_URL: await createDatabase(t) })
  await built.app.database.firstContact
  const status = async (method: string, url: string, scopes: readonly ScopeName[]) => {
    const headers = {
      authorization: `Bearer ${await makeKey(built.app, { account: 'scopes', tier: 'enterprise', scopes })}`,
    }
    return (await built.app.inject({ method: method as 'GET', url, headers })).statusCode
  }
  const scoped = built.routes.filter(({ scope }) => scope !== undefined)
  ok(scoped.length >= 7, 'routes are found')
  for (const route of scoped) {
    const { method, url, scope } = route
    const others = scopeNames.filter(name => name !== scope)
    strictEqual(await status(method, urlOf(route), others), 403, `${method} ${url} without ${scope}`)
    const mine = scopeNames.filter(name => name === scope)
    const allowed = await status(method, urlOf(route), mine)
    ok(![401, 403, 500].includes(allowed), `${method} ${url} with ${scope} → ${allowed}`)
  }
})
