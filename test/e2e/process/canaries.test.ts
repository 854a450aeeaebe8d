/** O01: what callers and operators keep to themselves is nowhere to be found afterwards, whichever way a request ends. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Sql } from 'postgres'
import { makeApiKey } from '../../../src/domain/api-key.ts'
import { errorAnswer, hangsUp, stallsAfter } from '../../support/behaviours.ts'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import type { Behaviour } from '../../support/exchange.ts'
import { peppersOf } from '../../support/peppers.ts'
import { adminKey, pepper } from './calls.ts'
import { type Ask, ask, canaries, chat, found, jwtOf, startCanaries, type World, yamlOf } from './canary-world.ts'
import { filesWith } from './secrets.ts'

async function refusedAsCallers(world: World): Promise<void> {
  const key = await world.makeKey(['models'])
  const narrow = await world.makeKey(['chat'], 'narrow')
  const expect = async (status: number, asked: Ask) =>
    assert.equal(await ask(world, asked), status, JSON.stringify(asked))
  await expect(200, {})
  await expect(200, { body: { ...chat, stream: true } })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await expect(200, { headers: { traceparent, tracestate: `vendor=${canaries.header}` } })
  await expect(400, { body: `{"model": "tinychat", "messages": [${canaries.prompt}` })
  await expect(400, { body: { ...chat, messages: canaries.prompt } })
  await expect(400, { body: { ...chat, tools: [{ type: canaries.prompt }] } })
  await expect(400, { body: { ...chat, n_predict: 5 } })
  await expect(400, { headers: { 'x-request-timeout-ms': canaries.header } })
  await expect(200, { body: { ...chat, [canaries.field]: canaries.prompt } })
  await expect(401, { key: canaries.key })
  await expect(401, { key: `sk-weir-${canaries.key}` })
  await expect(401, { key: jwtOf({ sub: canaries.claim, [canaries.claim]: canaries.claim }) })
  await expect(401, { key: `${jwtOf({ sub: canaries.claim }).slice(0, -4)}AAAA` })
  await expect(403, { key })
  await expect(404, { body: { ...chat, model: canaries.model } })
  await expect(404, { method: 'GET', path: `/v1/models/${canaries.model}` })
  await expect(404, { path: `/${canaries.path}` })
  await expect(400, { path: `/%${canaries.path}%` })
  await expect(405, { method: 'PUT' })
  await expect(413, { body: { ...chat, messages: [{ role: 'user', content: canaries.prompt.repeat(2000) }] } })
  await expect(415, { headers: { 'content-type': canaries.header } })
  await expect(415, { headers: { 'content-encoding': canaries.header } })
  await expect(200, { key: narrow })
  await expect(429, { key: narrow })
  await expect(400, { path: '/admin/accounts', body: { [canaries.field]: canaries.prompt } })
  await expect(404, { method: 'GET', path: `/admin/backends/${canaries.path}` })
}

async function failedByBackends(world: World): Promise<void> {
  const echo: Behaviour = errorAnswer(500, { error: { message: `${canaries.backend} ${canaries.prompt}` } })
  const rude: readonly [Behaviour, number][] = [
    [echo, 502],
    [errorAnswer(400, { error: { message: canaries.backend } }), 400],
    [errorAnswer(401, { error: canaries.backend }), 502],
    [hangsUp('reset'), 502],
    [stallsAfter(0), 504],
  ]
  for (const [behaviour, status] of rude) {
    world.backend.use(llamaServer({ chat: behaviour }))
    assert.equal(await ask(world, {}), status)
  }
  world.backend.use(llamaServer({ chat: stallsAfter(2) }))
  assert.equal(await ask(world, { body: { ...chat, stream: true } }), 200)
  await world.backend.stop()
  assert.equal(await ask(world, {}), 502)
  await world.backend.start()
  world.backend.use(llamaServer())
}

async function failedByStores(world: World, unknownKey: string): Promise<void> {
  const { gateway, database, redis, configFile } = world
  redis.resetPeer()
  database.resetPeer()
  const says = (pattern: RegExp) =>
    eventually(String(pattern), () => gateway.logs().some(({ msg }) => pattern.test(String(msg))), { withinMs: 15_000 })
  await ask(world, {})
  await says(/^the database is down/)
  await says(/^Redis is down/)
  assert.equal(await ask(world, { key: unknownKey }), 503)
  assert.equal(await ask(world, { path: '/admin/accounts', body: { name: 'x' } }), 503)
  redis.clear()
  database.clear()
  await says(/^the database answers/)
  writeFileSync(configFile, yamlOf('http://127.0.0.1:9', { auth: { adminKey: canaries.config, prot: 1 } }))
  assert.equal(await ask(world, { path: '/admin/config/reload', body: {} }), 422)
  writeFileSync(configFile, `models: { "${canaries.config.slice(0, 3)}\n`)
  assert.equal(await ask(world, { path: '/admin/config/reload', body: {} }), 422)
}

async function rowsOf(sql: Sql): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select quote_ident(table_schema) || '.' || quote_ident(table_name) as name from information_schema.tables
    where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`
  const texts = await Promise.all(tables.map(({ name }) => sql.unsafe(`select t::text as row from ${name} as t`)))
  assert.ok(texts.flat().length > 20, 'there are rows')
  return texts
    .flat()
    .map(({ row }) => String(row))
    .join('\n')
}

test('O01 no canary in output, files, database, metrics and traces, after every way a request can end', async t => {
  const world = await startCanaries(t)
  await refusedAsCallers(world)
  await failedByBackends(world)
  await failedByStores(world, makeApiKey(peppersOf(pepper)).key)
  const metrics = await boundedFetch(`${world.gateway.url}/metrics`, {
    headers: { authorization: `Bearer ${adminKey}` },
  })
  const exposed = await metrics.text()
  assert.match(exposed, /^weir_requests_total\{/m)
  assert.deepEqual(found(world, exposed), [], 'metrics')
  await eventually('requests are in the ledger', async () => (await world.sql`select 1 from usage_events`).length > 3)
  assert.deepEqual(found(world, await rowsOf(world.sql)), [], 'database')
  world.gateway.kill()
  assert.deepEqual(await world.gateway.exit, { code: 0, signal: null })
  const { stdout, stderr, folder } = world.gateway
  assert.ok(world.gateway.logs().filter(({ msg }) => msg === 'request').length > 30)
  assert.deepEqual(found(world, [...stdout, ...stderr].join('\n')), [], 'output')
  assert.deepEqual(filesWith(folder, [...world.forms.values()].flat()), [], 'files')
  assert.ok(world.collector.spans.length > 100, 'there are spans')
  assert.deepEqual(found(world, world.collector.text()), [], 'traces')
})
