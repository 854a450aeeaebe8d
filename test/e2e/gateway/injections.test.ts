import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import postgres from 'postgres'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { eventually } from '../../support/eventually.ts'
import { adminKey, buildGateway } from '../../support/gateway.ts'
import { injections } from '../../support/injections.ts'
import { signHs256 } from '../../support/jwt-maker.ts'
import { startPostgres } from '../../support/postgres-server.ts'

const issuer = 'https://login.example.com/'
const secret = '0f1e2d3c4b5a69788796a5b4c3d2e1f0-of-the-issuer'
const yaml = `
auth:
  issuers:
    test: { issuer: "${issuer}", audience: [weir], secret: { env: ISSUER_SECRET } }
`
/** The last statement, by which the log is known to be whole. */
const lastStatement = 'select 271828'

/** A PostgreSQL that writes down every statement it is sent, but not the values beside it. */
async function startLoggingPostgres(t: TestContext) {
  const server = await startPostgres(t)
  const lines: string[] = []
  server.onOutput(text => lines.push(text))
  const sql = postgres(server.url, { max: 1 })
  for (const setting of [
    "log_statement = 'all'",
    'log_parameter_max_length = 0',
    'log_parameter_max_length_on_error = 0',
  ])
    await sql.unsafe(`alter system set ${setting}`)
  await sql`select pg_reload_conf()`
  await sql.end()
  return { url: server.url, log: () => lines.join('') }
}

const isSendable = (text: string) => /^[\x20-\x7e]+$/.test(text) && text.trim() === text

test('K05: nothing that a caller sends is ever a part of a statement', async t => {
  const { url: databaseUrl, log } = await startLoggingPostgres(t)
  const { url, app } = await buildGateway(t, { env: { DATABASE_URL: databaseUrl, ISSUER_SECRET: secret }, yaml })
  assert.equal(injections.length, 500)
  const statuses = {
    key: new Set<number>(),
    jwt: new Set<number>(),
    model: new Set<number>(),
    metadata: new Set<number>(),
  }
  const json = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const call = async (kind: keyof typeof statuses, path: string, init: RequestInit): Promise<Response> => {
    const answer = await boundedFetch(url + path, init)
    statuses[kind].add(answer.status)
    return answer
  }
  for (const [index, text] of injections.entries()) {
    // What no header can carry a client cannot send; as much of it as can be is sent.
    const header = isSendable(text) ? text : encodeURIComponent(text)
    await (await call('key', '/v1/models', { headers: { 'x-api-key': header } })).text()
    const claims = { iss: issuer, aud: 'weir', sub: text, exp: Math.ceil(Date.now() / 1000) + 600, scope: text }
    const jwt = signHs256(secret, claims, { kid: text })
    await (await call('jwt', '/v1/models', { headers: { authorization: `Bearer ${jwt}` } })).text()
    const chat = JSON.stringify({ model: text, messages: [{ role: 'user', content: text }], user: text })
    await (await call('model', '/v1/chat/completions', { method: 'POST', headers: json, body: chat })).text()
    const made = JSON.stringify({ name: `account ${index}`, metadata: { note: text.slice(0, 512) } })
    const answer = await call('metadata', '/admin/accounts', { method: 'POST', headers: json, body: made })
    const body = (await answer.json()) as { metadata?: { note: string } }
    if (answer.status === 201) assert.equal(body.metadata?.note, text.slice(0, 512))
  }
  assert.deepEqual(statuses.key, new Set([401]))
  assert.deepEqual(statuses.jwt, new Set([401]))
  for (const status of statuses.model) assert.ok([400, 404].includes(status), `a model: ${status}`)
  for (const status of statuses.metadata) assert.ok([201, 400].includes(status), `metadata: ${status}`)

  await app.sql.unsafe(lastStatement)
  const statements = await eventually('the log is whole', () => (log().includes(lastStatement) ? log() : ''))
  assert.ok(statements.includes('from account_identities i join accounts a'), 'it has the statements')
  // The shortest ones are words that statements have by themselves.
  const telling = injections.filter(text => text.length >= 7)
  assert.ok(telling.length > 400, `${telling.length}`)
  assert.deepEqual(
    telling.filter(text => statements.includes(text)),
    [],
  )
})
