import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { listMetrics } from '../../plugins/metrics.ts'
import { metricsDocument } from '../../src/metrics/document.ts'
import { llamaServer } from '../support/engines.ts'
import { startFleet } from '../support/fleet.ts'
import { createRedisDatabase } from '../support/services.ts'

test('docs/METRICS.md is current', async () => {
  const committed = readFileSync(new URL('../../docs/METRICS.md', import.meta.url), 'utf8')
  equal(committed, metricsDocument(await listMetrics()), 'run `node scripts/write-metrics.ts`')
})

/** What a label may be: words of the program, or names of the configuration. */
const bounded = new Set([
  ...[
    'operation',
    'outcome',
    'status',
    'kind',
    'reason',
    'result',
    'endpoint',
    'limit',
    'of',
    'version',
    'node',
    'sha256',
    'extension',
  ],
  ...['model', 'answered', 'backend', 'tier', 'experiment', 'arm', 'issuer'],
])

test('names say what is counted and in which unit, and every label is of a set that is bounded', async () => {
  for (const { name, type, help, labels } of await listMetrics()) {
    match(name, /^weir(_[a-z0-9]+)+$/)
    equal(name.endsWith('_total'), type === 'counter', name)
    ok(!/_(ms|milliseconds|minutes|kb|mb|percent)(_|$)/.test(name), name)
    match(help, /^[A-Z0-9].+\.$/, name)
    for (const label of labels) ok(bounded.has(label), `${name}: ${label}`)
  }
})

test('what a gateway exposes is documented, and nothing else is', async t => {
  const { gateway } = await startFleet(t, [llamaServer()], { env: { REDIS_URL: await createRedisDatabase(t) } })
  const { text } = await gateway.app.meters.expose()
  const exposed = Array.from(text.matchAll(/^# TYPE (weir_\S+) (\S+)$/gm), ([, name, type]) => `${name} ${type}`)
  const documented = await listMetrics()
  equal(exposed.length, new Set(exposed).size)
  deepEqual(new Set(exposed), new Set(documented.map(({ name, type }) => `${name} ${type}`)))
})
