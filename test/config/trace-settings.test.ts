import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readTraceSettings } from '../../src/config/trace-settings.ts'

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

test('there are traces where an endpoint is named, and nowhere else', () => {
  const urlWith = (env: Record<string, string>) => readTraceSettings(env).traces?.url ?? null
  assert.equal(urlWith({}), null)
  assert.equal(urlWith({ OTEL_EXPORTER_OTLP_ENDPOINT: '' }), null)
  assert.equal(urlWith(endpoint), 'http://collector:4318/v1/traces')
  assert.equal(urlWith({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c/otlp/' }), 'https://c/otlp/v1/traces')
  assert.equal(urlWith({ ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c/own' }), 'http://c/own')
  assert.equal(urlWith({ ...endpoint, OTEL_SDK_DISABLED: 'true' }), null)
  assert.equal(urlWith({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }), null)
})

test('what is said of samplers and batches is obeyed', () => {
  assert.deepEqual(readTraceSettings(endpoint), {
    traces: {
      url: 'http://collector:4318/v1/traces',
      sampler: 'parentbased_always_on',
      ratio: 1,
      maxQueueSize: 2048,
      maxExportBatchSize: 512,
      scheduledDelayMillis: 5000,
      exportTimeoutMillis: 30_000,
    },
    warnings: [],
  })
  const { traces, warnings } = readTraceSettings({
    ...endpoint,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    OTEL_BSP_MAX_QUEUE_SIZE: '100',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '200',
    OTEL_BSP_SCHEDULE_DELAY: '10',
    OTEL_BSP_EXPORT_TIMEOUT: '20',
  })
  assert.deepEqual(warnings, [])
  const { url: _url, ...others } = traces ?? { url: '' }
  assert.deepEqual(others, {
    ...{ sampler: 'parentbased_traceidratio', ratio: 0.25, maxQueueSize: 100, maxExportBatchSize: 100 },
    ...{ scheduledDelayMillis: 10, exportTimeoutMillis: 20 },
  })
})

test('what cannot be obeyed is warned of by its variable, without its value, and passed over', () => {
  const wrong: [Record<string, string>, string][] = [
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector-secret' }, 'OTEL_EXPORTER_OTLP_ENDPOINT'],
    [{ ...endpoint, OTEL_TRACES_SAMPLER: 'secret' }, 'OTEL_TRACES_SAMPLER'],
    [{ ...endpoint, OTEL_TRACES_SAMPLER_ARG: 'secret' }, 'OTEL_TRACES_SAMPLER_ARG'],
    [{ ...endpoint, OTEL_TRACES_SAMPLER_ARG: '1.5' }, 'OTEL_TRACES_SAMPLER_ARG'],
    [{ ...endpoint, OTEL_BSP_MAX_QUEUE_SIZE: '0' }, 'OTEL_BSP_MAX_QUEUE_SIZE'],
    [{ ...endpoint, OTEL_BSP_SCHEDULE_DELAY: 'secret' }, 'OTEL_BSP_SCHEDULE_DELAY'],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL'],
  ]
  for (const [env, name] of wrong) {
    const { warnings } = readTraceSettings(env)
    assert.equal(warnings.length, 1, name)
    assert.match(String(warnings[0]), new RegExp(`^environment ${name}: `))
    assert.ok(!warnings[0]?.includes('secret'))
  }
})
