import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { leaseMs } from '../../../src/domain/reservation.ts'
import { chat } from '../../support/completion.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { startReplicas } from '../../support/replicas.ts'

const held = 50

test('L11 a killed replica holds its places for a lease, and a live one those of its streams for as long as they run', async t => {
  const world = await startReplicas(t, {
    count: 2,
    tiers: { free: { limits: { requestsInFlight: held + 1 } } },
    behaviour: llamaServer({ dimensions: 4, chat: chat({ tokens: 1000, everyMs: 100 }) }),
  })
  const { key } = await world.caller('free')
  const [doomed, other] = world.gateways
  assert.ok(doomed !== undefined && other !== undefined)
  const inFlight = async () => (await world.limits(1, key)).used['requests_in_flight']

  const live = await openStream(other.url, key)
  await Promise.all(Array.from({ length: held }, () => openStream(doomed.url, key)))
  assert.equal(await inFlight(), held + 1)
  assert.equal(await world.ask(1, key), 429)

  const killedAt = performance.now()
  doomed.kill('SIGKILL')
  await doomed.exit
  await eventually('the key can be used again', async () => (await world.ask(1, key)) === 200, {
    withinMs: leaseMs + 1000,
    everyMs: 100,
  })
  const untilFreeMs = killedAt + leaseMs + 1000 - performance.now()
  await eventually('all places are free but one', async () => (await inFlight()) === 1, { withinMs: untilFreeMs })
  t.diagnostic(`free after ${Math.round(performance.now() - killedAt)} ms`)

  // The live one has had its place for longer than a lease by now.
  const more = await Promise.all(Array.from({ length: held }, () => openStream(other.url, key)))
  assert.equal(await world.ask(1, key), 429)
  assert.equal((await live.next()).done, false)
  for (const stream of [live, ...more]) stream.stop()
  await eventually('those who leave give their places back', async () => (await inFlight()) === 0)
})

/** A stream that is known to run: its first event has been read. */
async function openStream(url: string, key: string) {
  const openai = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 })
  const messages = [{ role: 'user' as const, content: 'hi' }]
  const stream = await openai.chat.completions.create({ model: 'tinychat', messages, stream: true })
  const events = stream[Symbol.asyncIterator]()
  assert.equal((await events.next()).done, false)
  return { next: () => events.next(), stop: () => stream.controller.abort() }
}
