/** A main thread that does not get to anything for five seconds. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventually } from '../../support/eventually.ts'
import { adminKey } from '../../support/gateway.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

const blocker = fileURLToPath(new URL('../../support/block-loop.ts', import.meta.url))

test('G07 a blocked loop is seen from outside as alive and not ready, and what has piled up is refused', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await startGateway(t, {
    nodeFlags: ['--import', blocker],
    env: { WEIR_BACKEND_URL: backend.url, WEIR_ADMIN_KEY: adminKey, INTERNAL_PORT: '0', PROBE_PORT: '0' },
  })
  const probeUrl = String(gateway.logs().find(line => line['msg'] === 'listening')?.['probeUrl'])
  const ask = async (base: string, path: string) => (await fetch(base + path)).status
  const probes = async () => [await ask(probeUrl, '/health/live'), await ask(probeUrl, '/health/ready')]
  const chat = () =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tinychat', messages: [{ role: 'user', content: 'hi' }] }),
    })
  await eventually('it is ready', async () => (await ask(probeUrl, '/health/ready')) === 200, { withinMs: 20_000 })
  equal((await chat()).status, 200)

  gateway.kill('SIGWINCH')
  const seen: number[][] = []
  await eventually('the block is seen', async () => {
    seen.push(await probes())
    return seen.at(-1)?.[1] === 503
  })
  const [piledUp, scrape] = [Promise.all([chat(), chat(), chat()]), ask(String(gateway.internalUrl), '/metrics')]
  await eventually(
    'it goes on',
    async () => {
      seen.push(await probes())
      return seen.at(-1)?.[1] === 200
    },
    { withinMs: 10_000 },
  )
  deepEqual(new Set(seen.map(([live]) => live)), new Set([200]), 'a pause is no death')
  ok(seen.filter(([, ready]) => ready === 503).length > 5, 'it was asked all the while')

  for (const answer of await piledUp) {
    equal(answer.status, 503)
    match(await answer.text(), /"code":"server_is_overloaded"/)
    match(String(answer.headers.get('retry-after')), /^[1-9]\d*$/)
  }
  equal(await scrape, 200)
  equal((await chat()).status, 200, 'and the next one is served')
  equal(backend.exchanges.filter(({ request }) => request.path === '/v1/chat/completions').length, 2)
})
