import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { hangsUp, pausesAfter, stallsAfter } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import type { Behaviour } from '../support/exchange.ts'
import { startFleet } from '../support/fleet.ts'
import { adminKey } from '../support/gateway.ts'
import { ask, readStream } from '../support/inference.ts'
import { makeKey } from '../support/keys.ts'
import {
  assertTree,
  named,
  only,
  parent,
  question,
  serverOf,
  spansWhen,
  startTraced,
  traceLine,
  traceparent,
} from '../support/traced.ts'

test('a chat is a tree of spans within the trace of its caller, and its backend is told of the attempt', async t => {
  const world = await startTraced(t, [llamaServer()])
  assert.equal((await world.send(question, { traceparent, tracestate: 'rojo=00f067aa0ba902b7' })).status, 200)
  const spans = await world.collector.whenTraced(6, parent.traceId)
  assert.deepEqual(spans.map(({ name }) => name).toSorted(), [
    'POST /v1/chat/completions',
    'authenticate',
    'chat tinychat',
    'first token',
    'reserve',
    'settle',
  ])
  assertTree(spans)
  const root = serverOf(spans)
  assert.deepEqual([root.parentSpanId, root.kind, root.status], [parent.spanId, 2, 0])
  const attempt = only(spans, 'chat tinychat')
  assert.deepEqual([attempt.kind, attempt.attributes['weir.outcome']], [3, 'ok'])
  const [sent] = world.inferences()
  assert.equal(sent?.request.header('traceparent'), `00-${parent.traceId}-${attempt.spanId}-01`)
  assert.equal(sent?.request.header('tracestate'), 'rojo=00f067aa0ba902b7')
  // It is a header of the caller's, who may write anything there.
  assert.doesNotMatch(world.collector.text(), /00f067aa0ba902b7/)
  const line = await traceLine(world, parent.traceId)
  assert.equal(line?.['reqId'], root.attributes['weir.request_id'])
  const { attributes } = root
  assert.equal(attributes['http.request.method'], 'POST')
  assert.equal(attributes['http.route'], '/v1/chat/completions')
  assert.equal(attributes['http.response.status_code'], 200)
  assert.equal(attributes['gen_ai.operation.name'], 'chat')
  assert.equal(attributes['gen_ai.request.model'], 'tinychat')
  assert.equal(attributes['gen_ai.provider.name'], 'llama-server')
  assert.equal(attributes['gen_ai.usage.input_tokens'], line?.['inputTokens'])
  assert.equal(attributes['gen_ai.usage.output_tokens'], line?.['outputTokens'])
  assert.equal(attributes['weir.outcome'], 'ok')
  assert.equal(root.resource['service.name'], 'weir')
})

test('of a stream as well, and of one whose caller leaves it is told that, and no error', async t => {
  const world = await startTraced(t, [llamaServer()])
  const whole = await ask(t, world.gateway)
  await readStream(whole)
  const spans = await world.collector.whenTraced(6)
  assertTree(spans)
  assert.equal(serverOf(spans).attributes['weir.stream'], true)

  for (const backend of world.backends) backend.use(stallsAfter(3))
  const client = await ask(t, world.gateway)
  await client.head()
  client.destroy()
  const left = await spansWhen('the trace of the one who left', () => {
    const others = world.collector.spans.filter(({ traceId }) => traceId !== spans[0]?.traceId)
    return others.length >= 6 && named(others, 'POST /v1/chat/completions').length > 0 ? others : undefined
  })
  assertTree(left)
  assert.deepEqual([serverOf(left).status, serverOf(left).attributes['weir.outcome']], [0, 'client_cancel'])
  assert.deepEqual([only(left, 'chat tinychat').attributes['weir.outcome']], ['client-gone'])
})

test('a stream that is answered from the cache is told to be one, though no backend was asked', async t => {
  const world = await startTraced(t, [llamaServer()], {}, { model: { cache: { mode: 'all' } } })
  for (const traces of [1, 2]) {
    assert.equal((await world.send({ ...question, stream: true })).status, 200)
    await spansWhen('its trace', () => {
      const { spans } = world.collector
      return named(spans, 'POST /v1/chat/completions').length === traces ? spans : undefined
    })
  }
  assert.equal(world.inferences().length, 1)
  const roots = named(world.collector.spans, 'POST /v1/chat/completions')
  assert.deepEqual(
    roots.map(({ attributes }) => attributes['weir.stream']),
    [true, true],
  )
})

test('a failover is two attempts of one trace, each with the context of its own', async t => {
  const probed = llamaServer()
  const hanging = hangsUp('reset')
  const failing: Behaviour = exchange => (exchange.request.method === 'POST' ? hanging(exchange) : probed(exchange))
  const world = await startTraced(t, [failing, llamaServer()])
  // Until the first one meets the backend that fails: it may try again.
  while (world.inferences(0).length === 0) assert.equal((await world.send(question)).status, 200)
  const found = await spansWhen('a failover', () => {
    const failed = world.collector.spans.find(({ attributes }) => attributes['weir.outcome'] === 'reset')
    const spans = world.collector.spans.filter(({ traceId }) => traceId === failed?.traceId)
    return spans.length >= 7 ? spans : undefined
  })
  assertTree(found)
  const attempts = named(found, 'chat tinychat')
  assert.deepEqual(
    attempts.map(({ attributes, status }) => [attributes['weir.backend'], attributes['error.type'], status]).toSorted(),
    [
      ['b0', 'reset', 2],
      ['b1', undefined, 0],
    ],
  )
  assert.equal(serverOf(found).attributes['weir.attempts'], 2)
  const told = world.inferences().map(({ request }) => request.header('traceparent'))
  for (const { traceId, spanId } of attempts) assert.ok(told.includes(`00-${traceId}-${spanId}-01`))
})

test('a wait for a slot is a span of its own', async t => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const world = await startTraced(t, [llamaServer({ chat: pausesAfter(1, released) })], {}, { slots: 1 })
  const [first, second] = [world.send(question), world.send(question)]
  await world.backends[0]?.nextRequest('/v1/chat/completions')
  await eventually('one waits', () => world.gateway.app.backends.views()[0]?.waiting === 1)
  release()
  assert.deepEqual([(await first).status, (await second).status], [200, 200])
  const waited = await spansWhen('the trace of the one that waited', () => {
    const { spans } = world.collector
    const traceId = spans.find(({ name }) => name === 'queue')?.traceId
    const found = spans.filter(span => span.traceId === traceId)
    return found.length === 7 ? found : undefined
  })
  assertTree(waited)
  assert.ok(only(waited, 'queue').endNs <= only(waited, 'chat tinychat').startNs)
})

test('a refusal is no error of ours: 401 and 429 are told by their outcome', async t => {
  const world = await startTraced(t, [llamaServer()])
  assert.equal((await world.send(question, { authorization: 'Bearer nobody' })).status, 401)
  const key = await makeKey(world.gateway.app, { account: 'narrow', tier: 'narrow' })
  assert.equal((await world.send(question, { authorization: `Bearer ${key}` })).status, 200)
  assert.equal((await world.send(question, { authorization: `Bearer ${key}` })).status, 429)
  const roots = await spansWhen('three traces', () => {
    const servers = world.collector.spans.filter(({ kind }) => kind === 2)
    return servers.length === 3 ? servers : undefined
  })
  const refused = roots.filter(({ attributes }) => attributes['http.response.status_code'] !== 200)
  assert.deepEqual(refused.map(({ attributes, status }) => [attributes['weir.outcome'], status]).toSorted(), [
    ['invalid_api_key', 0],
    ['request_limit_exceeded', 0],
  ])
  const stepOf = (name: string) =>
    world.collector.spans.filter(span => span.name === name).flatMap(span => span.attributes['weir.outcome'] ?? [])
  assert.deepEqual(stepOf('authenticate'), ['invalid_api_key'])
  assert.deepEqual(stepOf('reserve'), ['request_limit_exceeded'])
})

test('a traceparent that is not well formed begins a trace of its own', async t => {
  const world = await startTraced(t, [llamaServer()])
  const wrong = [
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    `00-${parent.traceId}-0000000000000000-01`,
    `ff-${parent.traceId}-${parent.spanId}-01`,
    `00-${parent.traceId.toUpperCase()}-${parent.spanId}-01`,
    `00-${parent.traceId}-${parent.spanId}-01-more`,
    'nonsense',
  ]
  for (const header of wrong) await world.send(question, { traceparent: header })
  const roots = await spansWhen('all traces', () => {
    const servers = world.collector.spans.filter(({ kind }) => kind === 2)
    return servers.length === wrong.length ? servers : undefined
  })
  for (const { traceId, parentSpanId } of roots) {
    assert.notEqual(traceId, parent.traceId)
    assert.ok(parentSpanId === undefined || parentSpanId === '')
  }
})

test('what is not sampled is not sent, but keeps its trace: in the log, and for its backend', async t => {
  const world = await startTraced(t, [llamaServer()])
  const unsampled = `00-${parent.traceId}-${parent.spanId}-00`
  await world.send(question, { traceparent: unsampled })
  await world.send(question)
  await world.collector.whenTraced(6)
  assert.ok(world.collector.spans.every(({ traceId }) => traceId !== parent.traceId))
  await traceLine(world, parent.traceId)
  const [sent] = world.inferences()
  assert.match(sent?.request.header('traceparent') ?? '', new RegExp(`^00-${parent.traceId}-[0-9a-f]{16}-00$`))
})

test('with the collector away requests are served as ever; what cannot be sent is counted and said once', async t => {
  const world = await startTraced(t, [llamaServer()], {
    OTEL_BSP_MAX_QUEUE_SIZE: '8',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '8',
  })
  world.collector.status = 400
  for (let sent = 0; sent < 4; sent += 1) assert.equal((await world.send(question)).status, 200)
  const dropped = async (reason: string) => {
    const { text } = await world.gateway.app.meters.expose()
    return Number(new RegExp(`weir_trace_spans_dropped_total\\{reason="${reason}"\\} (\\d+)`).exec(text)?.[1] ?? 0)
  }
  await eventually('dropped spans are counted', async () => (await dropped('not_taken')) > 0)
  const said = () => world.gateway.logLines.filter(({ msg }) => String(msg).startsWith('traces: '))
  assert.equal(said().length, 1)
  // From now on it hangs: the queue fills up behind what is being sent.
  world.collector.status = null
  for (let sent = 0; sent < 8; sent += 1) assert.equal((await world.send(question)).status, 200)
  await eventually('the queue is full', async () => (await dropped('queue_full')) > 0)
  const sinceMs = performance.now()
  await world.gateway.app.close()
  assert.ok(performance.now() - sinceMs < 15_000, 'the stop does not wait for the collector')
})

test('without tracing the caller’s trace is in the log, and its headers go nowhere', async t => {
  const fleet = await startFleet(t, [llamaServer()])
  const response = await fleet.gateway.fetch(`${fleet.gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminKey}`, traceparent },
    body: JSON.stringify(question),
  })
  assert.equal(response.status, 200)
  await response.text()
  await eventually('its line', () => fleet.gateway.logLines.find(line => line['traceId'] === parent.traceId))
  assert.equal(fleet.inferences()[0]?.request.header('traceparent'), undefined)
})

test('docs/LOGS.md names every attribute of spans', async t => {
  const world = await startTraced(t, [llamaServer()])
  await world.send(question)
  await world.send(question, { authorization: 'Bearer nobody' })
  world.backends[0]?.use(llamaServer({ chat: hangsUp('reset') }))
  await world.send(question)
  const seen = await spansWhen('three traces', () => {
    const { spans } = world.collector
    return spans.filter(({ kind }) => kind === 2).length === 3 ? spans : undefined
  })
  const page = readFileSync(new URL('../../docs/LOGS.md', import.meta.url), 'utf8')
  const documented = new Set(
    Array.from(page.matchAll(/`((?:http|url|gen_ai|server|error|weir)\.[\w.]+)`/g), ([, name]) => name),
  )
  const names = new Set(seen.flatMap(({ attributes }) => Object.keys(attributes)))
  assert.deepEqual(names.symmetricDifference(documented), new Set())
})
