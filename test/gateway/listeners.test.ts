import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { refusal, withKey } from '../support/api-error.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { connectRaw } from '../support/raw-client.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

async function build(t: TestContext, env: Record<string, string> = {}) {
  const backend = await startScriptedBackend(t)
  return buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url, ...env } })
}

const operations = [
  '/metrics',
  '/health',
  '/health/live',
  '/health/ready',
  '/openapi.json',
  '/docs',
  '/docs/',
  '/docs/json',
  '/docs/yaml',
  '/docs/static/index.html',
  '/docs/static/swagger-ui.css',
  '/docs/static/swagger-ui-bundle.js',
  '/docs/static/swagger-initializer.js',
  '/docs/static/nothing',
]

test('O02 with an internal port the public one knows nothing of metrics, probes and docs', async t => {
  const gateway = await build(t, { INTERNAL_PORT: '0' })
  const ask = async (path: string, method = 'GET') => {
    const client = await connectRaw(t, gateway.url)
    client.request(method, path, { headers: { authorization: `Bearer ${adminKey}`, Host: 'internal' } })
    return client.response()
  }
  const nothing = await ask('/nothing')
  assert.equal(nothing.status, 404)
  for (const path of [...operations, '/metrics/', '/%6detrics', '/metrics?x=1', '/METRICS', '//metrics', '/docs/..']) {
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS']) {
      const answer = await ask(path, method)
      assert.equal(answer.status, 404, `${method} ${path}`)
      assert.equal(answer.header('allow'), undefined, `${method} ${path}`)
      // Not a word more than about a path that nobody has ever heard of.
      if (method === 'GET') assert.equal(answer.text, nothing.text, path)
    }
  }
  assert.doesNotMatch(nothing.text, /openapi|docs|metrics/)
  const welcome = await ask('/')
  assert.equal(welcome.status, 200)
  assert.deepEqual(Object.keys(JSON.parse(welcome.text).links), ['models', 'chat'])
})

test('O02 the internal listener has them, and the API beside them', async t => {
  const { internalUrl, fetch } = await build(t, { INTERNAL_PORT: '0' })
  assert.ok(internalUrl !== null)
  for (const path of operations.slice(0, -1)) {
    const response = await fetch(internalUrl + path)
    assert.equal(response.status, 200, path)
    await response.arrayBuffer()
  }
  assert.match(await (await fetch(`${internalUrl}/metrics`)).text(), /^weir_requests_total\{/m)
  const wrong = await fetch(`${internalUrl}/metrics`, { method: 'POST' })
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET'])
  const raw = await connectRaw(t, internalUrl)
  raw.send('GARBAGE\r\n\r\n')
  const answer = await raw.response()
  assert.deepEqual(Object.keys(JSON.parse(answer.text).error), ['message', 'type', 'param', 'code'])
})

test('without an internal port everything is on the one there is, and GET / names it', async t => {
  const { url, fetch } = await build(t)
  for (const path of operations.slice(0, -1)) {
    const response = await fetch(url + path)
    assert.equal(response.status, 200, path)
    await response.arrayBuffer()
  }
  const { links } = (await (await fetch(url)).json()) as { links: Record<string, string> }
  assert.deepEqual(Object.keys(links), ['models', 'chat', 'docs', 'openapi', 'health', 'metrics'])
  for (const [name, path] of Object.entries(links)) {
    const response = await fetch(url + path, { headers: { authorization: `Bearer ${adminKey}` } })
    assert.equal(response.status, name === 'chat' ? 405 : 200, name)
    await response.arrayBuffer()
  }
})

test('off loopback, without an internal port, the metrics want the scope admin', async t => {
  const gateway = await build(t, { HOST: '0.0.0.0' })
  const url = `http://127.0.0.1:${gateway.port}`
  const openai = gateway.openai.withOptions({ baseURL: url })
  const none = openai.withOptions({ defaultHeaders: { Authorization: null } })
  const row401 = { status: 401, type: 'invalid_request_error', code: 'invalid_api_key' } as const
  await refusal(none.get('/metrics'), row401)
  const plain = (await withKey(gateway, { account: 'plain' })).withOptions({ baseURL: url })
  const row403 = { status: 403, type: 'permission_error', code: 'insufficient_permissions', message: /admin/ } as const
  await refusal(plain.get('/metrics'), row403)
  const answer = await gateway.fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } })
  assert.equal(answer.status, 200)
  assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/)
  // Probes stay open: whoever asks them has no key.
  assert.equal((await gateway.fetch(`${url}/health/ready`)).status, 200)
})

test('the docs page needs nothing but this server, whatever its address', async t => {
  const { url, fetch } = await build(t)
  for (const base of ['/docs', '/docs/']) {
    const page = await fetch(url + base)
    const html = await page.text()
    const policy = page.headers.get('content-security-policy') ?? ''
    assert.doesNotMatch(policy, /https?:|validator|upgrade-insecure-requests|unsafe-eval/)
    assert.match(policy, /default-src 'none'/)
    assert.match(policy, /script-src 'self';/)
    assert.doesNotMatch(html, /<script(?![^>]* src=)|\son\w+=|javascript:/i)
    const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => new URL(path, `${url}${base}`))
    assert.ok(parts.length >= 5)
    for (const part of parts) {
      assert.equal(part.origin, url)
      const response = await fetch(part)
      assert.equal(response.status, 200, part.href)
      await response.arrayBuffer()
    }
  }
  // What it shows is the document, which it asks for beside itself.
  const shown = await (await fetch(`${url}/docs/json`)).json()
  assert.deepEqual(shown, await (await fetch(`${url}/openapi.json`)).json())
})
