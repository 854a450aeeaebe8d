import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { startOtlpReceiver } from '../../support/otlp-receiver.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { adminKey, pepper, untilReady } from './calls.ts'

test('SIGUSR2 turns debugging on, and again back to what is configured; an administrator says any level', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await startGateway(t, {
    env: {
      ...{ DATABASE_URL: await createDatabase(t), WEIR_BACKEND_URL: backend.url },
      ...{ WEIR_ADMIN_KEY: adminKey, WEIR_KEY_PEPPER: pepper },
    },
  })
  await untilReady(gateway.url)
  const level = async (method = 'GET', body?: object) => {
    const answer = await boundedFetch(`${gateway.url}/admin/log-level`, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: answer.status, ...((await answer.json()) as object) }
  }
  const changes = () =>
    gateway
      .logs()
      .flatMap(({ msg, cause, before, after }) => (msg === 'log level changed' ? [[cause, before, after]] : []))
  const lines = () => gateway.logs().filter(({ msg }) => msg === 'request').length
  assert.deepEqual(await level(), { status: 200, object: 'log_level', level: 'info', configured: 'info' })

  gateway.kill('SIGUSR2')
  await eventually('debug', () => changes().length === 1)
  gateway.kill('SIGUSR2')
  await eventually('info', () => changes().length === 2)
  assert.deepEqual(changes(), [
    ['signal', 'info', 'debug'],
    ['signal', 'debug', 'info'],
  ])

  assert.deepEqual(await level('PUT', { level: 'silent' }), {
    ...{ status: 200, object: 'log_level', level: 'silent', configured: 'info' },
  })
  await eventually('it is said', () => changes().length === 3)
  const before = lines()
  assert.equal((await level()).status, 200)
  assert.equal((await level('PUT', { level: null })).status, 200)
  await eventually('it is said', () => changes().length === 4)
  await level()
  await eventually('requests are logged again', () => lines() > before)
  assert.equal((await level('PUT', { level: 'loud' })).status, 400)
  gateway.kill()
  assert.deepEqual(await gateway.exit, { code: 0, signal: null })
})

test('nothing of OpenTelemetry’s SDK is loaded without an endpoint; with one its own variables are obeyed', async t => {
  const collector = await startOtlpReceiver(t)
  const backend = await startScriptedBackend(t)
  // Tells what is loaded, when it ends.
  const watch = `data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from 'node:module'
    const loaded = new Set()
    registerHooks({ load(url, context, next) { loaded.add(url); return next(url, context) } })
    process.on('exit', () => console.error('loaded: ' + [...loaded].filter(url => url.includes('/@opentelemetry/') && !url.includes('/api/')).length))
  `)}`
  const start = async (env: Record<string, string>) => {
    const gateway = await startGateway(t, {
      nodeFlags: ['--import', watch],
      env: {
        ...{ DATABASE_URL: await createDatabase(t), WEIR_BACKEND_URL: backend.url },
        ...{ WEIR_ADMIN_KEY: adminKey, WEIR_KEY_PEPPER: pepper, ...env },
      },
    })
    await untilReady(gateway.url)
    const models = await boundedFetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${adminKey}` } })
    assert.equal(models.status, 200)
    gateway.kill()
    assert.deepEqual(await gateway.exit, { code: 0, signal: null })
    return Number(/^loaded: (\d+)$/m.exec(gateway.stderr.join('\n'))?.[1])
  }
  assert.equal(await start({}), 0)
  const loaded = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=of%20ours',
    OTEL_SERVICE_NAME: 'gateway-7',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=staging',
    // What waits is sent when it stops.
    OTEL_BSP_SCHEDULE_DELAY: '60000',
  })
  assert.ok(loaded > 0)
  const [span] = await collector.whenTraced(1)
  assert.deepEqual(
    [span?.resource['service.name'], span?.resource['deployment.environment.name']],
    ['gateway-7', 'staging'],
  )
  assert.ok(collector.headers.every(headers => headers['x-collector-key'] === 'of ours'))
})
