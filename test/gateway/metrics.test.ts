import { deepEqual, equal, ok } from 'node:assert/strict'
import { totalmem } from 'node:os'
import { test } from 'node:test'
import { diesAfter, hangsUp, stallsAfter } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { startFleet, type TestFleet } from '../support/fleet.ts'
import { ask, question, readStream, streamQuestion } from '../support/inference.ts'
import { startJwksServer } from '../support/jwks-server.ts'
import { jwkOf, makeKeyPair, signJwt } from '../support/jwt-maker.ts'
import { makeKey } from '../support/keys.ts'
import { readSeries, type Series } from '../support/series.ts'

const prices = [{ from: '2026-01-01', input: '1.00', output: '10.00' }]

async function chat({ gateway }: TestFleet, headers: Record<string, string>, body: object = question) {
  const answer = await gateway.fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  await answer.text()
  return answer
}

/** A request is observed when its socket is done with it, which its caller may know a moment sooner. */
async function untilEnded({ gateway }: TestFleet, total: number): Promise<Series> {
  return await eventually(`${total} chats to have ended`, async () => {
    const series = await readSeries(gateway)
    equal(series.sum('weir_requests_total', { operation: 'chat' }), total)
    return series
  })
}

test('requests are counted by what they were and how they ended, also where nothing came of them', async t => {
  const tiers = { free: { limits: { requestsPerMinute: 1, burst: 1 } } }
  const fleet = await startFleet(t, [llamaServer()], { more: { tiers }, model: { prices } })
  const { gateway } = fleet
  const bearer = { authorization: `Bearer ${await makeKey(gateway.app, { account: 'acme', tier: 'free' })}` }
  equal((await chat(fleet, bearer)).status, 200)
  equal((await chat(fleet, bearer)).status, 429)
  equal((await chat(fleet, {})).status, 401)
  equal((await chat(fleet, { authorization: 'Bearer sk-weir-none' })).status, 401)
  const series = await untilEnded(fleet, 4)
  const counted = (labels: Record<string, string | number>) => series.sum('weir_requests_total', labels)
  equal(counted({ model: 'tinychat', backend: 'b0', tier: 'free', status: 200, outcome: 'ok' }), 1)
  equal(
    counted({ model: 'tinychat', backend: 'none', tier: 'free', status: 429, outcome: 'request_limit_exceeded' }),
    1,
  )
  equal(counted({ model: 'none', backend: 'none', tier: 'none', status: 401, outcome: 'invalid_api_key' }), 2)
  deepEqual(
    ['ok', 'missing', 'invalid', 'unavailable'].map(outcome => series.sum('weir_authentications_total', { outcome })),
    [2, 1, 1, 0],
  )
  const used = { operation: 'chat', model: 'tinychat', tier: 'free' }
  const [input, output] = ['input', 'output'].map(kind => series.sum('weir_tokens_total', { ...used, kind }) ?? 0)
  ok(input !== undefined && input > 0 && output !== undefined && output > 0)
  const cost = series.sum('weir_cost_usd_total', { model: 'tinychat', tier: 'free' }) ?? 0
  ok(Math.abs(cost - (input * 1 + output * 10) / 1e6) < 1e-12, `${cost}`)
  equal(series.sum('weir_gateway_overhead_seconds_count', { operation: 'chat' }), 1)
  equal(series.sum('weir_time_to_first_token_seconds_count', { operation: 'chat', model: 'tinychat' }), 1)
  equal(series.sum('weir_request_duration_seconds_count', { operation: 'chat' }), 4)
  equal(series.sum('weir_requests_running', { operation: 'chat' }), 0)
})

test('a stream runs until its caller has it or has left, and each has its time between tokens', async t => {
  const fleet = await startFleet(t, [llamaServer({ chat: stallsAfter(3) })], { timeouts: { idle: '60s' } })
  const client = await ask(t, fleet.gateway)
  await client.head()
  const running = await readSeries(fleet.gateway)
  deepEqual([running.sum('weir_streams_running'), running.sum('weir_requests_running', { operation: 'chat' })], [1, 1])
  client.destroy()
  const left = await untilEnded(fleet, 1)
  equal(left.sum('weir_requests_total', { operation: 'chat', model: 'tinychat', outcome: 'client_cancel' }), 1)
  deepEqual([left.sum('weir_streams_running'), left.sum('weir_requests_running', { operation: 'chat' })], [0, 0])
  const other = await startFleet(t, [llamaServer()])
  equal((await readStream(await ask(t, other.gateway, streamQuestion))).error, undefined)
  equal((await untilEnded(other, 1)).sum('weir_inter_token_latency_seconds_count', { model: 'tinychat' }), 1)
})

test('tries are counted by backend, and what followed a failed one by whether it went elsewhere', async t => {
  const broken = llamaServer({ chat: hangsUp('reset') })
  const fleet = await startFleet(t, [broken, broken])
  equal((await (await ask(t, fleet.gateway, question)).response()).status, 502)
  const series = await untilEnded(fleet, 1)
  const tries = [0, 1].map(backend => fleet.inferences(backend).length)
  ok(
    tries.every(count => count > 0),
    `${tries}`,
  )
  for (const [index, count] of tries.entries()) {
    equal(series.sum('weir_backend_attempts_total', { backend: `b${index}`, outcome: 'reset' }), count)
  }
  const again = (kind: string) => series.sum('weir_backend_repetitions_total', { kind }) ?? 0
  equal(again('failover') + again('retry'), tries.reduce((sum, count) => sum + count, 0) - 1)
  ok(again('failover') >= 1)
  equal(series.sum('weir_requests_total', { model: 'tinychat', outcome: 'upstream_error' }), 1)
})

test('what a broken stream came to is told by its outcome, though its status was 200', async t => {
  const fleet = await startFleet(t, [llamaServer({ chat: diesAfter(2) })])
  equal((await readStream(await ask(t, fleet.gateway))).error?.['code'], 'upstream_incomplete')
  const series = await untilEnded(fleet, 1)
  equal(series.sum('weir_requests_total', { status: 200, outcome: 'upstream_incomplete' }), 1)
})

test('backends and stores are looked at when the metrics are read', async t => {
  const fleet = await startFleet(t, [llamaServer(), llamaServer()], { slots: 3 })
  const series = await readSeries(fleet.gateway)
  for (const backend of ['b0', 'b1']) {
    deepEqual(
      ['up', 'slots', 'running', 'waiting', 'drained'].map(what => series.sum(`weir_backend_${what}`, { backend })),
      [1, 3, 0, 0, 0],
    )
  }
  equal(series.sum('weir_database_up'), 1)
  ok((series.sum('weir_database_connections') ?? 0) >= 1)
  equal(series.sum('weir_redis_up'), null)
  equal(series.sum('weir_build_info', { version: '0.0.0-test', node: process.versions.node }), 1)
})

test('issuers of JWTs are told by whether their keys could be fetched, once somebody has needed them', async t => {
  const pair = makeKeyPair('ES256')
  const server = await startJwksServer(t, [jwkOf(pair, 'one')])
  const gone = await startJwksServer(t)
  await gone.stop()
  const issuerAt = (issuer: string, { url }: { url: string }) => ({ issuer, audience: ['weir'], jwksUrl: url })
  const issuers = { corp: issuerAt('corp', server), other: issuerAt('other', gone), idle: issuerAt('idle', server) }
  const fleet = await startFleet(t, [llamaServer()], { more: { auth: { issuers } } })
  const exp = Math.ceil(Date.now() / 1000) + 600
  for (const iss of ['corp', 'other']) {
    const token = signJwt(pair, { iss, aud: 'weir', sub: 'somebody', exp }, { kid: 'one' })
    await chat(fleet, { authorization: `Bearer ${token}` })
  }
  const series = await readSeries(fleet.gateway)
  const of = (name: string) => ['corp', 'other', 'idle'].map(issuer => series.sum(name, { issuer }))
  deepEqual(of('weir_issuer_up'), [1, 0, null])
  const [age = null, ...others] = of('weir_issuer_keys_age_seconds')
  ok(age !== null && age >= 0 && age < 60, `${age}`)
  deepEqual(others, [null, null])
})

test('how much memory there is says what may be taken of it', async t => {
  const series = await readSeries((await startFleet(t, [llamaServer()])).gateway)
  const { heapUsed, rss } = process.memoryUsage()
  ok((series.sum('weir_memory_limit_bytes', { of: 'heap' }) ?? 0) > heapUsed)
  const limit = series.sum('weir_memory_limit_bytes', { of: 'process' }) ?? 0
  ok(limit > rss && limit <= totalmem(), `${limit}`)
})
