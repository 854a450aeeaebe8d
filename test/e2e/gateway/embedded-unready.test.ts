import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import OpenAI from 'openai'
import type { EngineState } from '../../../src/embedded/engine-process.ts'
import { eventually } from '../../support/eventually.ts'
import { buildGateway, type Gateway } from '../../support/gateway.ts'

const demoModel = fileURLToPath(new URL('../../../src/embedded/model/weir-demo.gguf', import.meta.url))

function makeModel(t: TestContext, bytes: Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-unready-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'broken.gguf')
  writeFileSync(path, bytes)
  return path
}

async function refusal({ openai }: Gateway, model: string) {
  const chat = openai.chat.completions.create({ model, messages: [{ role: 'user', content: 'hi' }] })
  const error: unknown = await chat.then(
    () => null,
    error => error,
  )
  assert.ok(error instanceof OpenAI.APIError)
  const { status, code, headers } = error
  const details: unknown = error.error
  assert.ok(typeof details === 'object' && details !== null && 'message' in details)
  return {
    status,
    code,
    message: details.message,
    shouldRetry: headers?.get('x-should-retry'),
    retryMs: headers?.get('retry-after-ms'),
  }
}

const isUp = ({ logLines }: Gateway) => logLines.some(line => line['msg'] === 'backend up')

test('a model that cannot be loaded is never up, and callers learn no path', { timeout: 30_000 }, async t => {
  const path = makeModel(t, readFileSync(demoModel).subarray(0, 500_000))
  const gateway = await buildGateway(t, { yaml: `engine: { model: ${path} }` })
  await assert.rejects(gateway.app.engine?.process.ready ?? Promise.resolve(), /died 3 times/)
  const { retryMs: _, ...refused } = await refusal(gateway, 'broken')
  assert.deepEqual(refused, {
    status: 503,
    code: 'server_is_overloaded',
    message: "Model 'broken' could not be loaded: see the server's log, or start with another --model.",
    shouldRetry: 'false',
  })
  assert.equal(isUp(gateway), false)
  const line = gateway.logLines.find(({ msg }) => msg === 'the embedded engine cannot run')
  assert.match(String(line?.['reason']), /broken\.gguf/)
})

test('each state of the engine has an answer of its own', { timeout: 30_000 }, async t => {
  const gateway = await buildGateway(t)
  const { engine } = gateway.app
  assert.ok(engine !== null)
  await engine.process.ready
  await eventually('its backend is up', () => isUp(gateway))
  const available = t.mock.method(engine.process, 'available')
  const refuseIn = (state: EngineState) => {
    available.mock.mockImplementation(() => state)
    return refusal(gateway, 'weir-demo')
  }
  const none = await refuseIn({ kind: 'unavailable', reason: 'no /srv/weir/addon.node', remedy: 'see /srv/weir' })
  assert.equal(
    none.message,
    "Model 'weir-demo' cannot run here: there is no llama.cpp package for this platform. Install the optional " +
      'dependencies, or configure a backend (WEIR_BACKEND_URL).',
  )
  assert.deepEqual([none.status, none.shouldRetry], [503, 'false'])
  const starting = { status: 503, code: 'server_is_overloaded', shouldRetry: null }
  const message = "Model 'weir-demo' is starting. Try again shortly."
  const soon = await refuseIn({ kind: 'restarting', reason: 'SIGKILL', retryInMs: 100 })
  assert.deepEqual(soon, { ...starting, message, retryMs: '500' })
  const later = await refuseIn({ kind: 'restarting', reason: 'SIGKILL', retryInMs: 1600 })
  assert.deepEqual(later, { ...starting, message, retryMs: '1600' })
  assert.deepEqual(await refuseIn({ kind: 'starting' }), { ...starting, message, retryMs: '500' })
})
