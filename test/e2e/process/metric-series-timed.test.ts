/** Whatever strangers make up, it is no name in the metrics. */
import { ok } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Pool } from 'undici'
import { onEnd } from '../../support/cleanup.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { Series } from '../../support/series.ts'
import { createDatabase } from '../../support/services.ts'
import { adminKey, pepper, untilReady } from './calls.ts'

const rounds = 10_000
const atOnce = 50
const maxNewSeries = 5
const maxScrapeMs = 50
const maxScrapeBytes = 1_048_576
/** All that Node's parser lets through and nobody here answers. */
const methods = ['PROPFIND', 'MKCOL', 'REPORT', 'PURGE', 'SEARCH', 'LINK', 'TRACE', 'PATCH', 'DELETE', 'PUT', 'OPTIONS']

/** One request of each kind with things that nobody else has ever said. */
async function say(pool: Pool, nth: number): Promise<void> {
  const junk = `${nth.toString(36)}-ü\u202e`
  const agent = `agent/${nth}`
  const authorization = `Bearer ${adminKey}`
  const json = { 'content-type': 'application/json', 'user-agent': agent }
  const ask = async (method: string, path: string, headers: Record<string, string>, body?: object) => {
    const text = body === undefined ? null : JSON.stringify(body)
    const answer = await pool.request({ method: method as 'GET', path, headers, body: text })
    await answer.body.dump()
  }
  const messages = [{ role: 'user', content: 'hi' }]
  await ask('POST', '/v1/chat/completions', { ...json, authorization }, { model: `model ${junk}`, messages })
  const asTenant = { ...json, authorization: `Bearer sk-weir-${nth.toString(36).padStart(16, '0')}` }
  const tenant = { model: 'tinychat', messages, user: junk, metadata: { tenant: junk } }
  await ask('POST', '/v1/chat/completions', asTenant, tenant)
  await ask(methods[nth % methods.length] ?? 'GET', `/v1/${encodeURIComponent(junk)}?${nth}`, { 'user-agent': agent })
}

async function scrape(url: string) {
  const sinceMs = performance.now()
  const text = await (await fetch(`${url}/metrics`)).text()
  return { ms: performance.now() - sinceMs, bytes: Buffer.byteLength(text), count: new Series(text).count }
}

async function start(t: TestContext) {
  const backend = await startScriptedBackend(t)
  const gateway = await startGateway(t, {
    flags: ['--backend', backend.url],
    env: {
      ...{ DATABASE_URL: await createDatabase(t), WEIR_KEY_PEPPER: pepper, WEIR_ADMIN_KEY: adminKey },
      INTERNAL_PORT: '0',
    },
  })
  await untilReady(String(gateway.internalUrl))
  const pool = new Pool(gateway.url, { connections: atOnce })
  onEnd(t, () => pool.destroy())
  return { pool, internalUrl: String(gateway.internalUrl) }
}

test('O03 ten thousand junk models, paths, tenants, methods and agents add no series, and a scrape stays small', async t => {
  const { pool, internalUrl } = await start(t)
  // Each kind once, with each of the methods, and a scrape, which is counted itself.
  for (let nth = 0; nth < methods.length; nth++) await say(pool, nth)
  await scrape(internalUrl)
  const before = await scrape(internalUrl)
  let next = methods.length
  const speaker = async () => {
    while (next < rounds) await say(pool, next++)
  }
  await Promise.all(Array.from({ length: atOnce }, speaker))
  const scrapes: Awaited<ReturnType<typeof scrape>>[] = []
  for (let nth = 0; nth < 9; nth++) scrapes.push(await scrape(internalUrl))
  const [{ count, bytes } = before] = scrapes
  const medianMs = scrapes.map(({ ms }) => ms).sort((a, b) => a - b)[4] ?? Number.NaN
  t.diagnostic(`${before.count} series, then ${count}; a scrape of ${bytes} bytes in ${medianMs.toFixed(1)} ms`)
  ok(count - before.count <= maxNewSeries, `${before.count} series, then ${count}`)
  ok(bytes <= maxScrapeBytes, `${bytes} bytes`)
  ok(medianMs <= maxScrapeMs, `${medianMs} ms`)
})
