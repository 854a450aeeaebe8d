import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { chat } from '../../support/completion.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { type GatewayProcess, startGateway } from '../../support/gateway-process.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, health, openStream, pepper, sdk, statusWith, untilReady } from './calls.ts'

interface Options {
  /** Of the backend's answers. */
  readonly tokens?: readonly string[] | number
  readonly everyMs?: number
  readonly grace?: string
  readonly minDrain?: string
  readonly nodeFlags?: string[]
}

/** A gateway before a backend whose answers take half a second unless told otherwise. */
async function start(t: TestContext, options: Options = {}) {
  const { tokens = 5, everyMs = 100, grace = '30s', minDrain = '0s', nodeFlags = [] } = options
  const backend = await startScriptedBackend(t, llamaServer({ chat: chat({ tokens, everyMs }), slots: 21 }))
  const folder = makeTempDir(t)
  writeFileSync(join(folder, 'weir.yaml'), `server:\n  grace: ${grace}\n`)
  const stores = { DATABASE_URL: await createDatabase(t), WEIR_KEY_PEPPER: pepper }
  const env = { ...stores, WEIR_ADMIN_KEY: adminKey, WEIR_BACKEND_URL: backend.url, MIN_DRAIN: minDrain }
  const gateway = await startGateway(t, { folder, env, nodeFlags })
  await untilReady(gateway.url)
  return gateway
}

/** Sends the signals; resolves with the exit code and how long after the first it took. */
async function stop(gateway: GatewayProcess, ...signals: readonly NodeJS.Signals[]) {
  const sinceMs = performance.now()
  for (const signal of signals) gateway.kill(signal)
  const { code } = await gateway.exit
  return { code, tookMs: performance.now() - sinceMs }
}

const isWhole = (text: string) => text.endsWith('data: [DONE]\n\n')

const uncaught = fileURLToPath(new URL('../../support/uncaught.ts', import.meta.url))

test('SIGTERM fails the readiness at once, while what runs and what still comes is served to its end', async t => {
  const gateway = await start(t, { tokens: 15, minDrain: '1s' })
  const { url } = gateway
  const stream = await openStream(url, adminKey)
  const sinceMs = performance.now()
  const stopped = stop(gateway, 'SIGTERM')
  await eventually('not ready', async () => (await health(url)).code === 503, { withinMs: 300 })
  assert.deepEqual(await health(url), { code: 503, status: 'stopping' })
  assert.deepEqual(await health(url, '/health/live'), { code: 200, status: 'ok' })
  assert.equal(await statusWith(url, adminKey), 200)
  const later = await openStream(url, adminKey)
  assert.equal(later.headers.get('connection'), 'close')
  assert.ok(isWhole(await stream.text()))
  assert.ok(isWhole(await later.text()))
  const endedMs = performance.now() - sinceMs
  const { code, tookMs } = await stopped
  assert.equal(code, 0)
  assert.ok(tookMs - endedMs < 1000, `the exit took ${tookMs - endedMs} ms after the last stream`)
})

test('G02 connections that are idle, kept alive or never used, do not hold the exit', async t => {
  const gateway = await start(t)
  const idle = await connectRaw(t, gateway.url)
  idle.request('GET', '/health/live')
  assert.equal((await idle.response()).status, 200)
  const unused = await connectRaw(t, gateway.url)
  const { code, tookMs } = await stop(gateway, 'SIGTERM')
  assert.equal(code, 0)
  assert.ok(tookMs < 1000, `the exit took ${tookMs} ms`)
  assert.deepEqual(await Promise.all([idle.ended, unused.ended]), ['fin', 'fin'])
})

test('G01 near the end of the grace what still runs is told so and never cut silently', async t => {
  const gateway = await start(t, { tokens: 300, grace: '3s', minDrain: '1s' })
  const streams = await Promise.all(Array.from({ length: 20 }, () => openStream(gateway.url, adminKey)))
  const whole = sdk(gateway.url, adminKey)
    .chat.completions.create({ model: 'tinychat', messages: [{ role: 'user', content: 'hi' }] })
    .then(
      () => 'answered',
      error => [error.status, error.code],
    )
  const slow = await connectRaw(t, gateway.url)
  const { host } = new URL(gateway.url)
  const head = `host: ${host}\r\nauthorization: Bearer ${adminKey}\r\ncontent-type: application/json\r\ncontent-length: 100`
  slow.send(`POST /v1/chat/completions HTTP/1.1\r\n${head}\r\n\r\n{"model":`)
  const stopped = stop(gateway, 'SIGTERM')
  for (const text of await Promise.all(streams.map(stream => stream.text()))) {
    const last = text.trimEnd().split('\n\n').at(-1) ?? ''
    const { error } = JSON.parse(last.replace(/^data: /, ''))
    assert.deepEqual([error.type, error.code, error.param], ['server_error', 'server_shutdown', null])
    assert.equal(text.includes('[DONE]'), false)
  }
  assert.deepEqual(await whole, [503, 'server_is_overloaded'])
  const { status, text } = await slow.response()
  assert.deepEqual([status, JSON.parse(text).error.code], [503, 'server_is_overloaded'], 'half a body')
  const { code, tookMs } = await stopped
  assert.equal(code, 0)
  assert.ok(tookMs > 1900 && tookMs < 3000, `the exit took ${tookMs} ms`)
})

test('a caller who does not read holds the exit no longer than the grace, and the exit code stays 0', async t => {
  const gateway = await start(t, { tokens: Array(200).fill('x'.repeat(100_000)), everyMs: 0, grace: '2s' })
  const client = await connectRaw(t, gateway.url)
  const headers = { authorization: `Bearer ${adminKey}` }
  const messages = [{ role: 'user', content: 'hi' }]
  client.request('POST', '/v1/chat/completions', { headers, body: { model: 'tinychat', stream: true, messages } })
  assert.equal((await client.head()).status, 200)
  client.pause()
  const { code, tookMs } = await stop(gateway, 'SIGTERM')
  assert.equal(code, 0)
  assert.ok(tookMs < 2500, `the exit took ${tookMs} ms`)
})

test('G06 Ctrl-C, which comes twice at once through npm, is one wish, and what runs is served to its end', async t => {
  const gateway = await start(t)
  const stream = await openStream(gateway.url, adminKey)
  const stopped = stop(gateway, 'SIGINT', 'SIGINT', 'SIGTERM')
  assert.ok(isWhole(await stream.text()))
  assert.equal((await stopped).code, 0)
})

test('an idle one serves on after SIGTERM for the minimum drain, and after Ctrl-C not at all', async t => {
  const [first, second] = await Promise.all([start(t, { minDrain: '1500ms' }), start(t, { minDrain: '1500ms' })])
  const [terminated, interrupted] = [stop(first, 'SIGTERM'), stop(second, 'SIGINT')]
  const sinceMs = performance.now()
  await eventually('not ready', async () => (await health(first.url)).code === 503, { withinMs: 300 })
  let lastServedMs = 0
  const serves = async () => {
    const beganMs = performance.now() - sinceMs
    if ((await statusWith(first.url, adminKey).catch(() => 0)) === 200) lastServedMs = beganMs
    return beganMs - lastServedMs > 300
  }
  await eventually('it takes no connection', serves, { everyMs: 20 })
  assert.ok(lastServedMs > 1300 && lastServedMs < 1800, `it served for ${lastServedMs} ms`)
  const [byTerm, byInt] = await Promise.all([terminated, interrupted])
  assert.deepEqual([byTerm.code, byInt.code], [0, 0])
  assert.ok(byTerm.tookMs > 1500 && byTerm.tookMs < 2500, `${byTerm.tookMs} ms`)
  assert.ok(byInt.tookMs < 1000, `${byInt.tookMs} ms`)
})

test('an error that nobody caught: answers that run may end, the log says why, and the exit code is 1', async t => {
  const endings = (['SIGWINCH', 'SIGURG'] as const).map(async signal => {
    const gateway = await start(t, { nodeFlags: ['--import', uncaught] })
    const stream = await openStream(gateway.url, adminKey)
    const stopped = stop(gateway, signal)
    assert.ok(isWhole(await stream.text()))
    assert.equal((await stopped).code, 1)
    const fatal = gateway.logs().filter(log => log['level'] === 60)
    assert.equal(fatal.length, 1)
    assert.match(JSON.stringify(fatal), /"message":"boom".*"msg":"stopping after an error"/)
  })
  await Promise.all(endings)
})
