import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { refusal } from '../../support/api-error.ts'
import { adminKey, buildGateway, type Gateway } from '../../support/gateway.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

async function build(t: TestContext, env: Record<string, string>): Promise<Gateway> {
  const backend = await startScriptedBackend(t)
  return buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url, ...env } })
}

const right = { authorization: `Bearer ${adminKey}` }
const wrong = { authorization: 'Bearer nobody' }

/** Until the flood guard refuses what needs a key; the number of requests it took. */
async function exhaust({ app }: Gateway, headers: Record<string, string>): Promise<number> {
  for (let count = 1; count < 50; count += 1) {
    const { statusCode } = await app.inject({ url: '/v1/models', headers })
    if (statusCode === 429) return count
  }
  return assert.fail('it was never refused')
}

test('L13 probes and metrics are answered and not counted where everything else is refused', async t => {
  const gateway = await build(t, { FLOOD_GUARD_REQUESTS: '5' })
  const spared = ['/health', '/health/live', '/health/ready', '/metrics', '/%68ealth', '/health?x=1']
  for (let n = 0; n < 3; n += 1) {
    for (const url of spared) assert.equal((await gateway.app.inject(url)).statusCode, 200, url)
  }
  assert.equal(await exhaust(gateway, right), 6)
  for (const url of spared) assert.equal((await gateway.app.inject(url)).statusCode, 200, url)
  // What only looks like one of them, and what is beside them.
  const others = [
    '/health/',
    '//health',
    '/HEALTH',
    '/health/..',
    '/v1/models?/health',
    '/v1/models/%2fhealth',
    '/',
    '/docs',
  ]
  for (const url of others) assert.equal((await gateway.app.inject(url)).statusCode, 429, url)
  const { body } = await gateway.app.inject('/metrics')
  assert.match(body, /^weir_flood_guard_denials_total\{reason="requests"\} 9$/m)
  assert.match(body, /^weir_flood_guard_denials_total\{reason="failures"\} 0$/m)
})

test('L13 the internal listener is not counted, neither its requests nor its failures', async t => {
  const env = { FLOOD_GUARD_REQUESTS: '4', FLOOD_GUARD_FAILURES: '2', INTERNAL_PORT: '0' }
  const { internalUrl, url, fetch } = await build(t, env)
  assert.ok(internalUrl !== null)
  const ask = async (base: string, headers: Record<string, string>) => {
    const answer = await fetch(`${base}/v1/models`, { headers })
    await answer.arrayBuffer()
    return answer.status
  }
  for (let n = 0; n < 5; n += 1) assert.equal(await ask(internalUrl, wrong), 401)
  assert.deepEqual([await ask(url, wrong), await ask(url, wrong), await ask(url, right)], [401, 401, 429])
  assert.equal(await ask(internalUrl, right), 200)
})

test('L13 metrics that want a key are no place to guess one', async t => {
  const gateway = await build(t, { FLOOD_GUARD_REQUESTS: '3', FLOOD_GUARD_FAILURES: '4', HOST: '0.0.0.0' })
  const ask = async (headers: Record<string, string>) =>
    (await gateway.app.inject({ url: '/metrics', headers })).statusCode
  for (let n = 0; n < 5; n += 1) assert.equal(await ask(right), 200)
  for (let n = 0; n < 4; n += 1) assert.equal(await ask(wrong), 401)
  assert.deepEqual([await ask(wrong), await ask(right)], [429, 429])
})

test('L13 the SDK sees a limit it can wait for, and the log has the request', async t => {
  const gateway = await build(t, { FLOOD_GUARD_REQUESTS: '2' })
  const { openai, logLines } = gateway
  for (let n = 0; n < 2; n += 1) await openai.models.list()
  const error = await openai.models.list().then(
    () => assert.fail('it was not refused'),
    reason => reason,
  )
  const retry = {
    'retry-after': error.headers.get('retry-after'),
    'retry-after-ms': error.headers.get('retry-after-ms'),
  }
  const row = {
    status: 429,
    type: 'requests',
    code: 'rate_limit_exceeded',
    message: /server\.floodGuard/,
    retry,
  } as const
  await refusal(Promise.reject(error), row)
  const { app } = gateway
  await app.close()
  const refused = logLines.filter(({ msg, status }) => msg === 'request' && status === 429)
  assert.deepEqual(
    refused.map(({ operation, reqId }) => [operation, reqId]),
    [['models', error.requestID]],
  )
})

test('L13 over a socket a forged address is counted as the socket, through a listed proxy as the one behind it', async t => {
  const ask = async ({ url }: Gateway, ...forwardedFor: readonly string[]) => {
    const statuses: number[] = []
    for (const text of forwardedFor) {
      const client = await connectRaw(t, url)
      client.request('GET', '/v1/models', { headers: { ...right, 'X-Forwarded-For': text } })
      statuses.push((await client.response()).status)
    }
    return statuses
  }
  const direct = await build(t, { FLOOD_GUARD_REQUESTS: '2' })
  const forged = ['9.9.9.1', '9.9.9.2', '9.9.9.3']
  assert.deepEqual(await ask(direct, ...forged), [200, 200, 429])
  const warnings = direct.logLines.filter(({ msg }) => String(msg).includes('TRUSTED_PROXIES'))
  assert.deepEqual(
    warnings.map(({ level, peer }) => [level, peer]),
    [[40, '127.0.0.1']],
  )
  const behind = await build(t, { FLOOD_GUARD_REQUESTS: '2', TRUSTED_PROXIES: '127.0.0.0/8' })
  const spoofed = forged.map(text => `${text}, 198.51.100.7`)
  assert.deepEqual(await ask(behind, ...spoofed), [200, 200, 429])
  assert.deepEqual(await ask(behind, '198.51.100.7, 198.51.100.8'), [200])
  assert.deepEqual(
    behind.logLines.filter(({ msg }) => String(msg).includes('TRUSTED_PROXIES')),
    [],
  )
})

test('by default a thousand quick requests with a good key are nothing', async t => {
  // Empty counts as not set.
  const { app } = await build(t, { FLOOD_GUARD_REQUESTS: '', FLOOD_GUARD_FAILURES: '' })
  for (let n = 0; n < 1000; n += 1) {
    const { statusCode } = await app.inject({ url: '/v1/models', headers: right })
    assert.equal(statusCode, 200)
  }
  for (let n = 0; n < 600; n += 1) {
    const { statusCode } = await app.inject({ url: '/v1/models', headers: wrong })
    assert.equal(statusCode, 401)
  }
  assert.equal((await app.inject({ url: '/v1/models', headers: right })).statusCode, 429)
})
