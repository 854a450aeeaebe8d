import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chat } from '../../support/completion.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { startFleet } from '../../support/fleet.ts'
import { question } from '../../support/inference.ts'

const slots = 16
/** So many that the retries of a whole backend are a fifth of them. */
const warmUp = 100
const waiting = 8

test('a large backend that dies with all slots taken is answered for by the other one, once there were calls enough', async t => {
  const released = Promise.withResolvers<void>()
  let isHolding = false
  const behaviour = llamaServer({
    slots,
    chat: async exchange => {
      if (isHolding) await Promise.race([released.promise, exchange.closed])
      await chat()(exchange)
    },
  })
  const fleet = await startFleet(t, [behaviour, behaviour], { slots })
  const { openai, app } = fleet.gateway
  const ask = () => openai.chat.completions.create(question)
  for (let n = 0; n < warmUp; n += slots) await Promise.all(Array.from({ length: slots }, ask))
  isHolding = true
  const answers = Promise.allSettled(Array.from({ length: 2 * slots + waiting }, ask))
  const view = () => app.backends.views().map(({ in_flight }) => in_flight)
  await eventually('all slots are taken, and some wait', () => app.backends.views()[0]?.waiting === waiting)
  assert.deepEqual(view(), [slots, slots])
  await fleet.backends[0]?.stop()
  await eventually('it is noticed', () => app.backends.views()[0]?.breakers[0]?.state === 'open')
  released.resolve()
  const failed = (await answers).filter(({ status }) => status === 'rejected')
  assert.deepEqual(failed, [])
})
