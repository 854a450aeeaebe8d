import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI from 'openai'
import { Agent } from 'undici'
import { diesAfter, errorAnswer, hangsUp } from '../../support/behaviours.ts'
import { onEnd } from '../../support/cleanup.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import type { Behaviour } from '../../support/exchange.ts'
import { startFleet, type TestFleet } from '../../support/fleet.ts'
import { adminKey } from '../../support/gateway.ts'
import { ask, percentile, question, readStream } from '../../support/inference.ts'

interface Seen {
  readonly status: number
  readonly tookMs: number
  readonly retryAfterMs: number
  readonly shouldRetry: string | undefined
}

/** Asks over connections of its own, which cost less than those of the tests' other clients. */
function asker({ gateway }: TestFleet, onClose: (step: () => unknown) => void): () => Promise<Seen> {
  const agent = new Agent({ connections: 32, pipelining: 1 })
  onClose(() => agent.destroy())
  const request = {
    origin: gateway.url,
    path: '/v1/chat/completions',
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(question),
  } as const
  return async () => {
    const startedMs = performance.now()
    const { statusCode, headers, body } = await agent.request(request)
    await body.dump()
    return {
      status: statusCode,
      tookMs: performance.now() - startedMs,
      retryAfterMs: Number(headers['retry-after-ms']),
      shouldRetry: headers['x-should-retry'] as string | undefined,
    }
  }
}

async function many(send: () => Promise<Seen>, total: number, concurrency: number): Promise<Seen[]> {
  const seen: Seen[] = []
  let sent = 0
  const work = async () => {
    for (; sent < total; ) {
      sent += 1
      seen.push(await send())
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  return seen
}

test('R01 a backend that refuses connections is asked little more often than callers ask', async t => {
  const fleet = await startFleet(t, [llamaServer()])
  const send = asker(fleet, step => onEnd(t, step))
  assert.equal((await send()).status, 200)
  await fleet.backends[0]?.stop()
  const seen = await many(send, 1000, 10)
  assert.ok(seen.every(({ status }) => status === 502 || status === 503))
  const open = seen.filter(({ shouldRetry, status }) => status === 503 && shouldRetry === 'false')
  assert.ok(open.length > 900, `${open.length} were told at once`)
  const p99 = percentile(
    open.map(({ tookMs }) => tookMs),
    0.99,
  )
  assert.ok(p99 <= 200, `p99 ${p99} ms`)
  const attempts = fleet.gateway.logLines
    .filter(({ msg }) => msg === 'request')
    .reduce((sum, line) => sum + Number(line['attempts'] ?? 0), 0)
  assert.ok(attempts <= 1.2 * 1000 + 3, `${attempts} attempts`)
})

test('R03 half open, one probe goes through and all others are told at once', async t => {
  let behaviour: Behaviour = hangsUp('reset')
  const fleet = await startFleet(t, [llamaServer({ chat: exchange => behaviour(exchange) })])
  const send = asker(fleet, step => onEnd(t, step))
  await many(send, 10, 1)
  assert.equal((await send()).status, 503)
  const before = fleet.inferences().length
  const healthy = llamaServer()
  behaviour = async exchange => {
    if (await exchange.wait(3000)) await healthy(exchange)
  }
  const probe = await eventually('a probe is let in', async () => {
    const answer = send()
    const isProbe = (await Promise.race([answer, sleep(200, null)])) === null
    return isProbe ? { answer } : null
  })
  const others = await many(send, 500, 4)
  assert.ok(others.every(({ status, retryAfterMs }) => status === 503 && retryAfterMs > 0))
  const p99 = percentile(
    others.map(({ tookMs }) => tookMs),
    0.99,
  )
  assert.ok(p99 <= 20, `p99 ${p99} ms`)
  assert.equal(fleet.inferences().length, before + 1)
  assert.equal((await probe?.answer)?.status, 200)
  assert.equal((await send()).status, 200)
})

test('R04 streams that die in the middle open the breaker', async t => {
  const fleet = await startFleet(t, [llamaServer({ chat: diesAfter(2) })])
  for (let times = 0; times < 5; times += 1) {
    const stream = await readStream(await ask(t, fleet.gateway))
    assert.equal(stream.error?.['code'], 'upstream_incomplete')
  }
  const answer = await (await ask(t, fleet.gateway)).response()
  assert.equal(answer.status, 503)
  assert.equal(fleet.inferences().length, 5)
})

test('R05 a caller who leaves before the next try is not tried for', async t => {
  const busy = errorAnswer(503, { error: { message: 'busy', type: 'unavailable_error', code: 503 } }, [
    ['Retry-After', '1'],
  ])
  const fleet = await startFleet(t, [llamaServer({ chat: busy })], { slots: 1 })
  const client = await ask(t, fleet.gateway)
  await fleet.backends[0]?.nextRequest('/v1/chat/completions')
  await sleep(200)
  client.destroy()
  await sleep(1500)
  assert.equal(fleet.inferences().length, 1)
})

test('R08 the SDK does not try again while the breaker is open', async t => {
  const fleet = await startFleet(t, [llamaServer({ chat: hangsUp('reset') })])
  const send = asker(fleet, step => onEnd(t, step))
  await many(send, 10, 1)
  let requests = 0
  const openai = new OpenAI({
    apiKey: adminKey,
    baseURL: `${fleet.gateway.url}/v1`,
    maxRetries: 5,
    fetch: (...args) => {
      requests += 1
      return fleet.gateway.fetch(...args)
    },
  })
  await assert.rejects(openai.chat.completions.create(question), { status: 503 })
  assert.equal(requests, 1)
})
