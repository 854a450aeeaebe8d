/** What a breaker answers how soon, of a gateway that shares its thread with no test. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import { hangsUp } from '../../support/behaviours.ts'
import { onEnd } from '../../support/cleanup.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import type { Behaviour } from '../../support/exchange.ts'
import { type GatewayProcess, startGateway } from '../../support/gateway-process.ts'
import { percentile, question } from '../../support/inference.ts'
import { type ScriptedBackend, startScriptedBackend } from '../../support/scripted-backend.ts'
import { createMigratedDatabase } from '../../support/services.ts'
import { adminKey, pepper, untilReady } from './calls.ts'

interface World {
  readonly gateway: GatewayProcess
  readonly backend: ScriptedBackend
}

async function startWorld(t: TestContext, behaviour: Behaviour): Promise<World> {
  const backend = await startScriptedBackend(t, behaviour)
  const env = {
    DATABASE_URL: await createMigratedDatabase(t),
    WEIR_KEY_PEPPER: pepper,
    WEIR_ADMIN_KEY: adminKey,
    WEIR_BACKEND_URL: backend.url,
  }
  const gateway = await startGateway(t, { env })
  await untilReady(gateway.url)
  return { gateway, backend }
}

/** Requests that came for an answer, probes left out. */
function inferences({ backend }: World): number {
  return backend.exchanges.filter(({ request }) => request.method === 'POST' && request.path.startsWith('/v1/')).length
}

interface Seen {
  readonly status: number
  readonly tookMs: number
  readonly retryAfterMs: number
  readonly shouldRetry: string | undefined
}

/** Asks over connections of its own, which cost less than those of the tests' other clients. */
function asker(t: TestContext, { gateway }: World): () => Promise<Seen> {
  const agent = new Agent({ connections: 32, pipelining: 1 })
  onEnd(t, () => agent.destroy())
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
  const world = await startWorld(t, llamaServer())
  const send = asker(t, world)
  assert.equal((await send()).status, 200)
  await world.backend.stop()
  const seen = await many(send, 1000, 10)
  assert.ok(seen.every(({ status }) => status === 502 || status === 503))
  const open = seen.filter(({ shouldRetry, status }) => status === 503 && shouldRetry === 'false')
  assert.ok(open.length > 900, `${open.length} were told at once`)
  const p99 = percentile(
    open.map(({ tookMs }) => tookMs),
    0.99,
  )
  assert.ok(p99 <= 200, `p99 ${p99} ms`)
  const attempts = world.gateway
    .logs()
    .filter(({ msg }) => msg === 'request')
    .reduce((sum, line) => sum + Number(line['attempts'] ?? 0), 0)
  assert.ok(attempts <= 1.2 * 1000 + 3, `${attempts} attempts`)
})

test('R03 half open, one probe goes through and all others are told at once', async t => {
  let behaviour: Behaviour = hangsUp('reset')
  const world = await startWorld(t, llamaServer({ chat: exchange => behaviour(exchange) }))
  const send = asker(t, world)
  await many(send, 10, 1)
  assert.equal((await send()).status, 503)
  const before = inferences(world)
  const healthy = llamaServer()
  const asked = Promise.withResolvers<void>()
  behaviour = async exchange => {
    const [open] = await Promise.all([exchange.wait(3000), asked.promise])
    if (open) await healthy(exchange)
  }
  const probe = await eventually('a probe is let in', async () => {
    const answer = send()
    const isProbe = (await Promise.race([answer, sleep(200, null)])) === null
    return isProbe ? { answer } : null
  })
  const p99s: number[] = []
  // The matrix's figures for latency are medians over repeated runs.
  for (let run = 0; run < 5; run += 1) {
    const others = await many(send, 500, 4)
    assert.ok(others.every(({ status, retryAfterMs }) => status === 503 && retryAfterMs > 0))
    const lags = others.map(({ tookMs }) => tookMs)
    p99s.push(percentile(lags, 0.99))
  }
  asked.resolve()
  t.diagnostic(`p99 of each run: ${p99s.map(ms => ms.toFixed(1)).join(', ')} ms`)
  assert.ok(percentile(p99s, 0.5) <= 20, `p99 ${p99s.map(ms => ms.toFixed(1)).join(', ')} ms`)
  assert.equal(inferences(world), before + 1)
  assert.equal((await probe?.answer)?.status, 200)
  assert.equal((await send()).status, 200)
})
