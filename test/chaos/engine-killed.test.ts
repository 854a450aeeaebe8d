import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import OpenAI from 'openai'
import type { Call } from '../../src/backend/call.ts'
import { adminOf } from '../support/admin.ts'
import { type Asked, startChatLoad } from '../support/chat-load.ts'
import { onEnd } from '../support/cleanup.ts'
import { type EngineServer, startEngineServer } from '../support/engine-server.ts'
import { eventually } from '../support/eventually.ts'
import { buildGateway, type Gateway } from '../support/gateway.ts'

const slots = 4
/** So many calls have gone well before, that those of a whole backend may be tried again. */
const warmUp = 100
/** After an engine was paused: all that it had sent has been read. */
const settledMs = 200

/** A gateway before these engines, and the calls in one piece that it has under way. */
async function gatewayBefore(t: TestContext, engines: readonly EngineServer[]) {
  const collecting = new Set<Call>()
  const gateway = await buildGateway(t, {
    yaml: JSON.stringify({
      backends: Object.fromEntries(engines.map(({ url }, index) => [`b${index}`, { url, engine: 'llama-server' }])),
      models: { 'weir-demo': { endpoints: ['chat'], targets: engines.map((_, index) => ({ backend: `b${index}` })) } },
    }),
    prepare: ({ backends }) => {
      const { collect } = backends
      backends.collect = async (call, reply) => {
        collecting.add(call)
        return await collect(call, reply).finally(() => collecting.delete(call))
      }
    },
  })
  return { gateway, collecting }
}

async function viewOf(gateway: Gateway, name: string) {
  return await adminOf(gateway).get<{ state: string; slots: number | null; breakers: { state: string }[] }>(
    'GET',
    `/backends/${name}`,
  )
}

test('of two engines one is killed under load: only what had been answered in part fails, and it comes back', {
  timeout: 90_000,
}, async t => {
  const engines = await Promise.all([startEngineServer(t, slots), startEngineServer(t, slots)])
  const [doomed] = engines
  const { gateway, collecting } = await gatewayBefore(t, engines)
  const chosen = Promise.withResolvers<{ stream: Asked; whole: Call }>()
  let isKilled = false
  const onContent = (stream: Asked) => {
    if (isKilled || stream.backend !== 'b0' || load.asked.length < warmUp) return
    // One that is half assembled here, of which its caller has nothing.
    const whole = [...collecting].find(({ record }) => record.backend === 'b0' && record.firstContentAt !== null)
    if (whole === undefined) return
    isKilled = true
    // What it has sent already may be the end of them: then it goes on, and others are looked for.
    doomed?.pause(true)
    setTimeout(() => {
      if (stream.isOver || !collecting.has(whole) || whole.record.tries.length > 1) {
        doomed?.pause(false)
        isKilled = false
      } else doomed?.kill().then(() => chosen.resolve({ stream, whole }), chosen.reject)
    }, settledMs)
  }
  const load = startChatLoad({
    openai: gateway.openai,
    callers: 12,
    body: {
      model: 'weir-demo',
      messages: [{ role: 'user', content: 'Tell me a long story about a fox.' }],
      max_tokens: 120,
      temperature: 1.5,
    },
    onContent,
  })
  onEnd(t, () => load.stop())
  const { stream, whole } = await chosen.promise

  await eventually('what was cut off is over', () => stream.isOver && !collecting.has(whole))
  assert.ok(stream.error instanceof OpenAI.APIError)
  assert.deepEqual(whole.record.tries.map(({ backend }) => backend).slice(0, 2), ['b0', 'b1'])
  assert.equal(whole.record.fault, null)
  await eventually('it is seen as down', async () => (await viewOf(gateway, 'b0')).state === 'down')
  const sinceDown = load.asked.length
  await eventually('the other one goes on', () => load.asked.slice(sinceDown).filter(one => one.isOver).length > 12)

  await doomed?.start()
  const sinceStart = load.asked.length
  await eventually('it is seen as up', async () => (await viewOf(gateway, 'b0')).state === 'up', { withinMs: 15_000 })
  const isFrom = (one: Asked) => one.isOver && one.backend === 'b0' && one.error === null
  await eventually('it answers again', () => load.asked.slice(sinceStart).some(isFrom), { withinMs: 15_000 })
  const { breakers } = await viewOf(gateway, 'b0')
  assert.ok(breakers.every(({ state }) => state === 'closed'))
  await load.stop()

  const failed = load.asked.filter(({ error }) => error !== null)
  t.diagnostic(`${load.asked.length} calls, of which ${failed.length} were cut off in the middle of their stream`)
  assert.ok(failed.length >= 1 && failed.length <= slots)
  for (const { streamed, hasContent, backend, error } of failed) {
    assert.deepEqual([streamed, hasContent, backend], [true, true, 'b0'], String(error))
    assert.ok(error instanceof OpenAI.APIError)
    assert.equal(error.code, 'upstream_incomplete')
  }
  const answered = load.asked.filter(({ error }) => error === null)
  assert.ok(answered.every(({ finishReason, hasContent }) => hasContent && finishReason !== null))
})
