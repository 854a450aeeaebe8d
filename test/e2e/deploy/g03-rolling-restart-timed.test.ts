import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Agent, request } from 'undici'
import { startBalancedWorld } from '../../support/balanced-world.ts'
import { startHaproxy } from '../../support/balancers.ts'
import { onEnd } from '../../support/cleanup.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { hello } from '../../support/inference.ts'
import { percentile, startOpenLoop } from '../../support/open-loop.ts'

const perSecond = 200
const asStream = JSON.stringify({ model: 'tinychat', messages: hello, stream: true })
const asEmbedding = JSON.stringify({ model: 'tinychat', input: 'hi' })

test('G03 a rolling restart of 4 replicas under 200 requests a second through HAProxy fails none of them', async t => {
  const world = await startBalancedWorld(t, {
    count: 4,
    behaviour: llamaServer({ dimensions: 4, answer: { tokens: 10, everyMs: 20 } }),
    tiers: { open: {} },
    // Shorter than what is shipped, and longer than the second that HAProxy takes to see a readiness that has gone.
    env: { MIN_DRAIN: '2s' },
  })
  const haproxy = await startHaproxy(t, world.replicas)
  const key = await world.key('open')
  const dispatcher = new Agent({ connections: 500, headersTimeout: 20_000, bodyTimeout: 20_000 })
  onEnd(t, () => dispatcher.destroy())
  const failures: string[] = []
  let sent = 0
  /** Every fifth is a stream. 0 for what was not answered, or not to its end. */
  const send = async (): Promise<number> => {
    sent += 1
    const isStream = sent % 5 === 0
    try {
      const { statusCode, body } = await request(`${haproxy.url}/v1/${isStream ? 'chat/completions' : 'embeddings'}`, {
        dispatcher,
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: isStream ? asStream : asEmbedding,
      })
      const text = await body.text()
      const isWhole = isStream ? text.endsWith('data: [DONE]\n\n') : text.endsWith('}')
      if (statusCode === 200 && isWhole) return statusCode
      failures.push(`${statusCode} ${text.slice(-200)}`)
      return isWhole ? statusCode : 0
    } catch (error) {
      failures.push(String(error))
      return 0
    }
  }
  const repliers = (from: number) =>
    new Set(
      haproxy
        .accessLog()
        .slice(from)
        .map(({ replica }) => replica),
    )

  const load = startOpenLoop(perSecond, send)
  await eventually('all are asked', () => repliers(0).size === 4)
  const beganAt = performance.now()
  for (const [index, replica] of world.replicas.entries()) {
    await replica.restart()
    const mark = haproxy.accessLog().length
    await eventually('it is asked again', () => repliers(mark).has(`weir-${index + 1}`))
  }
  const tookS = (performance.now() - beganAt) / 1000
  await load.stop()

  assert.deepEqual(failures, [], haproxy.complaints())
  assert.ok(load.samples.every(({ status }) => status === 200))
  assert.ok(load.samples.length >= perSecond * tookS, 'the load was kept up')
  t.diagnostic(
    `${load.samples.length} requests, p99 ${percentile(load.samples, 0.99).toFixed(0)} ms, in ${tookS.toFixed(1)} s`,
  )
})
