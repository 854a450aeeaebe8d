import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { errorAnswer, htmlError, inTurn, loading, notAStream } from '../../support/behaviours.ts'
import { onEnd } from '../../support/cleanup.ts'
import { llamaServer, ollamaServer, openaiServer, vllmServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { startFaultProxy } from '../../support/fault-proxy.ts'
import { buildGateway, type Gateway } from '../../support/gateway.ts'
import { ask, errorOf, gatewayBefore, question } from '../../support/inference.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

const engines = { 'llama-server': llamaServer, vllm: vllmServer, ollama: ollamaServer, openai: openaiServer }

const onlyState = (gateway: Gateway) => Object.values(gateway.app.backends.states())[0]
const namesOf = async ({ openai }: Gateway) => (await openai.models.list()).data.map(({ id }) => id).sort()

for (const [engine, server] of Object.entries(engines)) {
  test(`${engine} is found out to be one, and its models are there from the start`, async t => {
    const backend = await startScriptedBackend(t, server({ model: 'found', slots: 6 }))
    const gateway = await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url } })
    const slots = engine === 'llama-server' ? 6 : null
    assert.deepEqual(onlyState(gateway), { kind: 'up', engine, slots })
    assert.deepEqual(await namesOf(gateway), ['found'])
    const reply = await gateway.openai.chat.completions.create({ ...question, model: 'found' })
    assert.equal(reply.choices[0]?.message.content, 'The capital of France is Paris.')
    const { request } = await backend.nextRequest('/v1/chat/completions')
    assert.equal(request.text.includes('"stream":true'), engine === 'llama-server')
  })
}

test('two backends named by their addresses: each serves its own models, and what both have goes to both', async t => {
  const one = await startScriptedBackend(t, llamaServer({ model: 'only-one' }))
  const two = await startScriptedBackend(t, vllmServer({ model: 'both' }))
  const three = await startScriptedBackend(t, llamaServer({ model: 'both', answer: { everyMs: 30 } }))
  const urls = [one, two, three].map(({ url }) => url).join(',')
  const gateway = await buildGateway(t, { env: { WEIR_BACKEND_URL: urls } })
  assert.deepEqual(await namesOf(gateway), ['both', 'only-one'])
  await gateway.openai.chat.completions.create({ ...question, model: 'only-one' })
  assert.equal(one.exchangesTo('/v1/chat/completions').length, 1)
  const replies = Array.from({ length: 8 }, () =>
    gateway.openai.chat.completions.create({ ...question, model: 'both' }),
  )
  assert.deepEqual([...new Set((await Promise.all(replies)).map(reply => reply.model))], ['both'])
  assert.ok(two.exchangesTo('/v1/chat/completions').length >= 1)
  assert.ok(three.exchangesTo('/v1/chat/completions').length >= 1)
})

test('a backend that is down at the start serves when it comes, as what it is', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ model: 'late' }))
  const proxy = await startFaultProxy(t, backend)
  await proxy.down()
  const gateway = await buildGateway(t, { env: { WEIR_BACKEND_URL: proxy.url } })
  assert.equal(onlyState(gateway)?.kind, 'down')
  assert.deepEqual(await namesOf(gateway), [])
  await proxy.up()
  await eventually('it is up', () => onlyState(gateway)?.kind === 'up')
  assert.deepEqual(await namesOf(gateway), ['late'])
  const reply = await gateway.openai.chat.completions.create({ ...question, model: 'late' })
  assert.equal(reply.model, 'late')
})

test('a llama-server that loads its model is waited for', async t => {
  const backend = await startScriptedBackend(t, exchange => {
    const [status, headers] = [503, [['Server', 'llama.cpp']] as const]
    return exchange.answer(status, headers, JSON.stringify({ error: { message: 'Loading model', code: 503 } }))
  })
  const gateway = await gatewayBefore(t, backend, { engine: 'auto' })
  assert.equal(onlyState(gateway)?.kind, 'loading')
  const answer = await (await ask(t, gateway)).response()
  assert.equal(answer.status, 503)
  assert.equal(errorOf(answer)['code'], 'server_is_overloaded')
  assert.ok(Number(answer.header('retry-after')) >= 1)
  backend.use(llamaServer())
  await eventually('it is up', () => onlyState(gateway)?.kind === 'up')
  assert.deepEqual(onlyState(gateway), { kind: 'up', engine: 'llama-server', slots: 1000 })
})

const notYet = {
  'the page of a proxy (502)': htmlError(502),
  'the page of a proxy (503)': htmlError(503),
  '504': errorAnswer(504, {}),
  '500': htmlError(500),
  '429': errorAnswer(429, {}),
  '401, a wrong key': errorAnswer(401, { error: 'Unauthorized' }),
  '403': htmlError(403),
  '404 for the list of models too': errorAnswer(404, {}),
  'a page that says 200': notAStream(),
  'a loading server without a name': loading(),
}
for (const [what, behaviour] of Object.entries(notYet)) {
  test(`what a backend is cannot be told from ${what}: it is asked again`, async t => {
    const backend = await startScriptedBackend(t, behaviour)
    const gateway = await gatewayBefore(t, backend, { engine: 'auto' })
    assert.notEqual(onlyState(gateway)?.kind, 'up')
    const answer = await (await ask(t, gateway)).response()
    assert.ok(answer.status === 502 || answer.status === 503)
    backend.use(llamaServer())
    await eventually('it is up', () => onlyState(gateway)?.kind === 'up')
    assert.deepEqual(onlyState(gateway), { kind: 'up', engine: 'llama-server', slots: 1000 })
  })
}

test('a backend that fails after the first question is asked again from the beginning', async t => {
  const notFound = errorAnswer(404, {})
  for (const failsAt of [2, 3, 4]) {
    const fails = Array.from({ length: failsAt - 1 }, () => notFound)
    const backend = await startScriptedBackend(t, inTurn(notFound, ...fails.slice(1), htmlError(502), llamaServer()))
    const gateway = await gatewayBefore(t, backend, { engine: 'auto' })
    await eventually('it is up', () => onlyState(gateway)?.kind === 'up')
    assert.deepEqual(onlyState(gateway), { kind: 'up', engine: 'llama-server', slots: 1000 })
  }
})

test('an openai server that says 401 to what it does not know is one all the same', async t => {
  const server = openaiServer()
  const backend = await startScriptedBackend(t, exchange =>
    (exchange.request.path.startsWith('/v1/') ? server : errorAnswer(401, {}))(exchange),
  )
  const gateway = await gatewayBefore(t, backend, { engine: 'auto' })
  assert.deepEqual(onlyState(gateway), { kind: 'up', engine: 'openai', slots: 1000 })
})

test('a server that stops does not take its own stopping for a fault of its backends', async t => {
  const backend = await startScriptedBackend(t, exchange => exchange.stall())
  const gateways: Gateway[] = []
  // Runs when the gateway has closed.
  onEnd(t, async () => {
    await eventually('the probe is over', () => backend.sockets.open === 0)
    const downs = gateways.flatMap(({ logLines }) => logLines).filter(line => line['msg'] === 'backend down')
    assert.deepEqual(downs, [])
  })
  const gateway = await gatewayBefore(t, backend, { engine: 'auto' })
  gateways.push(gateway)
  // It opens last; nothing is to be stopped while it starts.
  await eventually('the start is over', () => existsSync(join(gateway.dataDir, 'control.sock')))
})
