import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type GatewayProcess, startGateway } from '../../support/gateway-process.ts'
import { percentile } from '../../support/inference.ts'
import { sendPipelined } from '../../support/pipelined.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey } from '../process/calls.ts'

const path = '/v1/chat/completions'

/** The database, the counts and the kept answers in the process; the engine too, unless there is a backend. */
async function start(t: TestContext, configuration: object): Promise<GatewayProcess> {
  const folder = makeTempDir(t)
  writeFileSync(join(folder, 'weir.yaml'), JSON.stringify(configuration))
  return await startGateway(t, { folder, env: { WEIR_ADMIN_KEY: adminKey } })
}

/** Sends them one after the other; gives the milliseconds that each took, and insists on what the cache has said. */
async function send(t: TestContext, { url }: GatewayProcess, bodies: readonly string[], cache: string) {
  const tookMs: number[] = []
  let lastAt = performance.now()
  await sendPipelined(t, {
    port: Number(new URL(url).port),
    key: adminKey,
    path,
    bodies,
    depth: 1,
    onAnswer: head => {
      assert.match(head, /^http\/1\.1 200 /)
      assert.ok(head.includes(`x-weir-cache: ${cache}`), head)
      const nowMs = performance.now()
      tookMs.push(nowMs - lastAt)
      lastAt = nowMs
    },
  })
  return tookMs
}

const bodyOf = (model: string, content: string) =>
  JSON.stringify({ model, messages: [{ role: 'user', content }], temperature: 0, max_tokens: 16 })

test('p50 of an answer that is given again is under 2 ms, with everything in the process', async t => {
  const gateway = await start(t, { engine: { cache: { mode: 'deterministic' } } })
  const models = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${adminKey}` } })
  const { data } = (await models.json()) as { data: { id: string }[] }
  const body = bodyOf(data[0]?.id ?? '', 'hi')
  await send(t, gateway, [body], 'miss')
  await send(t, gateway, Array<string>(500).fill(body), 'hit')
  const tookMs = await send(t, gateway, Array<string>(1000).fill(body), 'hit')
  const p50 = percentile(tookMs, 0.5)
  t.diagnostic(`p50 ${p50.toFixed(3)} ms, p99 ${percentile(tookMs, 0.99).toFixed(3)} ms`)
  assert.ok(p50 < 2, `${p50} ms`)
})

/** Of all its threads so far, in milliseconds, by its own word. */
async function cpuMsOf({ url }: GatewayProcess): Promise<number> {
  const exposed = await (await fetch(`${url}/metrics`)).text()
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(exposed)?.[1]) * 1000
}

/** Prompts of so many bytes, and how often each is asked so that what they take can be measured. */
const sizes = [
  { bytes: 100, count: 300 },
  { bytes: 64 * 1024, count: 150 },
  { bytes: 1024 * 1024, count: 40 },
] as const

test('a hit takes less CPU of the gateway than a miss, whatever the size of the request', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await start(t, {
    backends: { main: { url: backend.url, engine: 'llama-server', slots: 8 } },
    models: { m: { targets: [{ backend: 'main' }], cache: { mode: 'deterministic' } } },
  })
  // What is compiled late is compiled by now.
  const warm = Array.from({ length: 400 }, (_, n) => bodyOf('m', `warm ${n}`))
  await send(t, gateway, warm, 'miss')
  await send(t, gateway, warm, 'hit')
  for (const { bytes, count } of sizes) {
    const bodies = Array.from({ length: count }, (_, n) => bodyOf('m', `${n} of ${bytes} ${'word '.repeat(bytes / 5)}`))
    const spentMs = async (cache: string) => {
      const before = await cpuMsOf(gateway)
      await send(t, gateway, bodies, cache)
      return ((await cpuMsOf(gateway)) - before) / count
    }
    const [missMs, hitMs] = [await spentMs('miss'), await spentMs('hit')]
    t.diagnostic(`${bytes} bytes: a miss ${missMs.toFixed(2)} ms, a hit ${hitMs.toFixed(2)} ms of CPU`)
    assert.ok(hitMs < missMs, `${bytes} bytes: ${hitMs} ms for a hit, ${missMs} ms for a miss`)
  }
})
