import { deepStrictEqual, notStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { type BuiltApp, buildRealApp, type Route, urlOf } from './app.ts'

/** What everybody may see. The operations among it are on a listener of their own where there is one. */
const open = [/^\/$/, /^\/health(\/live|\/ready)?$/, /^\/metrics$/, /^\/openapi\.json$/, /^\/docs(\/|$)/]
const isOpen = ({ url }: Route) => open.some(pattern => pattern.test(url))

async function statusOf({ app }: BuiltApp, route: Route): Promise<number> {
  const { statusCode } = await app.inject({ method: route.method as 'GET', url: urlOf(route) })
  return statusCode
}

const named = ({ method, url }: Route) => `${method} ${url}`

test('on loopback', async t => {
  const built = await buildRealApp(t)
  const { app, routes } = built
  const closed = routes.filter(route => !isOpen(route))

  await t.test('every route refuses strangers, but for those on the list', async () => {
    ok(closed.length >= 7, 'routes are found')
    for (const route of closed) {
      strictEqual(await statusOf(built, route), 401, named(route))
      // A wrong method or a slash too many must not lead round the guard.
      const { statusCode } = await app.inject({ method: 'GET', url: `${urlOf(route)}/` })
      ok([401, 404, 405].includes(statusCode), `GET ${route.url}/ → ${statusCode}`)
    }
  })

  await t.test('the routes on the list do not ask who is there', async () => {
    for (const pattern of open)
      ok(
        routes.some(({ url }) => pattern.test(url)),
        `nothing matches ${pattern}`,
      )
    for (const route of routes.filter(isOpen)) {
      const status = await statusOf(built, route)
      ok(status !== 401 && status !== 403, `${named(route)} → ${status}`)
    }
  })

  await t.test('a refusal is JSON in the shape of OpenAI', async () => {
    const response = await app.inject({ method: 'POST', url: '/v1/chat/completions' })
    strictEqual(response.statusCode, 401)
    deepStrictEqual(Object.keys(response.json()), ['error'])
    const { message, ...rest } = response.json().error
    strictEqual(typeof message, 'string')
    deepStrictEqual(rest, { type: 'invalid_request_error', param: null, code: 'invalid_api_key' })
  })

  await t.test('every route that asks for a key says what scope it needs, and no other', () => {
    deepStrictEqual(closed.filter(({ scope }) => scope === undefined || scope === 'public').map(named), [])
    deepStrictEqual(routes.filter(route => isOpen(route) && route.scope !== 'public').map(named), [])
  })

  await t.test('every route of ours has a name for logs and metrics', () => {
    const own = routes.filter(({ url }) => !/^\/docs(\/|$)/.test(url))
    deepStrictEqual(own.filter(({ operation }) => operation === undefined).map(named), [])
  })
})

test('off loopback, without a listener of their own, the metrics want the scope admin', async t => {
  const built = await buildRealApp(t, { HOST: '0.0.0.0' })
  const metrics = built.routes.filter(({ url }) => url === '/metrics')
  ok(metrics.length > 0)
  for (const route of metrics) {
    strictEqual(await statusOf(built, route), 401, named(route))
    strictEqual(route.scope, 'admin')
  }
})

test('with an internal listener the public one has none of the operations', async t => {
  const built = await buildRealApp(t, { HOST: '0.0.0.0', INTERNAL_PORT: '0' })
  const isOperation = (route: Route) => route.isInternal || (isOpen(route) && route.url !== '/')
  const operations = built.routes.filter(isOperation)
  ok(operations.some(({ url }) => url.startsWith('/admin/')))
  for (const route of operations) strictEqual(await statusOf(built, route), 404, named(route))
  for (const route of built.routes) if (!isOperation(route)) notStrictEqual(await statusOf(built, route), 404)
})
