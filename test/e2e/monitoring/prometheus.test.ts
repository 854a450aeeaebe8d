import { deepEqual, equal, ok } from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { stringify } from 'yaml'
import { eventually } from '../../support/eventually.ts'
import { filledIn, parseMonitoring, readDashboards, readQueries, readRules } from '../../support/monitoring.ts'
import { monitoring, type Prometheus, startPrometheus } from '../../support/prometheus.ts'
import { type Monitored, startMonitored } from './mixed-traffic.ts'

/** What may be empty after this traffic, and why. */
const noVectors = 'this PostgreSQL has no pgvector, so no question is made a vector of'
const mayBeEmpty: Readonly<Record<string, string>> = {
  'weir-cache 13 A': noVectors,
  'weir-cache 13 B': noVectors,
  'weir-cache 13 C': noVectors,
  'weir-cache 15 A': noVectors,
  'weir-ledger 12 A': 'the disk has room for usage, so nobody is refused for want of it',
  'weir-process 15 A': 'no blackbox exporter looks at certificates here',
}

interface Configuration {
  global: Record<string, string>
  alerting?: object
  rule_files: string[]
  scrape_configs: { static_configs: { targets: string[] }[] }[]
}

/** monitoring/prometheus.yml, but each second, and of this gateway. */
function configurationFor(address: string): string {
  const { alerting: _, ...configuration } = parseMonitoring('prometheus.yml') as Configuration
  const [weir, ...others] = configuration.scrape_configs
  ok(weir)
  return stringify({
    ...configuration,
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: configuration.rule_files.map(file => join(monitoring, file)),
    scrape_configs: [{ ...weir, static_configs: [{ targets: [address] }] }, ...others],
  })
}

/** Each of these alerts has begun to count its time. */
async function alarms(prometheus: Prometheus, ...names: readonly string[]): Promise<void> {
  await eventually(
    `${names.join(', ')} begin`,
    async () => {
      const known = new Set((await prometheus.query('ALERTS')).map(({ labels }) => labels['alertname']))
      deepEqual(
        names.filter(name => !known.has(name)),
        [],
      )
      return true
    },
    { withinMs: 15_000, everyMs: 200 },
  )
}

/** Until no alert of these is there any more. */
async function isOver(prometheus: Prometheus, ...names: readonly string[]): Promise<void> {
  const matching = `ALERTS{alertname=~"${names.join('|')}"}`
  await eventually(`${names.join(', ')} to be over`, async () => (await prometheus.query(matching)).length === 0, {
    withinMs: 20_000,
    everyMs: 200,
  })
}

async function breakThings(t: TestContext, prometheus: Prometheus, world: Monitored): Promise<void> {
  const { backends, redis, postgres } = world
  await Promise.all([backends[1], backends[2]].map(backend => backend?.stop()))
  await alarms(prometheus, 'WeirBackendDown', 'WeirBackendBreakerOpen', 'WeirFallbacks', 'WeirIssuerDown')
  t.diagnostic('backends died')
  // A connection on which nothing happens does not tell that the other side is silent; the limiter does.
  redis.freeze()
  await alarms(prometheus, 'WeirLimiterLocal')
  await Promise.all([redis.kill(), postgres.kill()])
  await alarms(prometheus, 'WeirRedisDown', 'WeirDatabaseDown')
  t.diagnostic('both stores are away')
  await Promise.all([redis.start(), postgres.start()])
  await isOver(prometheus, 'WeirRedisDown', 'WeirLimiterLocal', 'WeirDatabaseDown')
  t.diagnostic('and back')
}

/** The names of the queries that have no data; rejects where there is one that Prometheus objects to. */
async function emptyQueries(prometheus: Prometheus): Promise<readonly string[]> {
  const found = await Promise.all(
    readQueries().map(async ({ name, expr }) => {
      const samples = await prometheus.query(filledIn(expr))
      return samples.some(({ value }) => !Number.isNaN(value)) ? [] : [name]
    }),
  )
  return found.flat()
}

test('every panel and rule of monitoring/ works in a real Prometheus, and has data after traffic of all kinds', async t => {
  const world = await startMonitored(t)
  const address = new URL(world.gateway.internalUrl ?? '').host
  const prometheus = await startPrometheus(t, configurationFor(address))
  const tally = world.startCallers()
  await breakThings(t, prometheus, world)

  await t.test('the traffic was what it should be', () => {
    const had = (kind: string, status: number) => ok((tally[kind]?.[status] ?? 0) > 0, `${kind}: ${status}`)
    for (const kind of ['ok', 'stream', 'aborted', 'text', 'vectors', 'unpriced', 'fallback', 'arms', 'shadow', 'jwt'])
      had(kind, 200)
    for (const kind of ['hit', 'bypass', 'cut', 'knownVectors']) had(kind, 200)
    had('unknown', 401)
    had('limited', 429)
    had('issuerGone', 503)
    ok(Object.keys(tally['dead'] ?? {}).some(status => Number(status) >= 500))
  })

  await t.test('every panel has data', async () => {
    const expected = new Set(Object.keys(mayBeEmpty))
    // The rates look 15 s back.
    await eventually(
      'all have data but those that may be empty, and these have none',
      async () => {
        // Whoever has data needs no excuse.
        deepEqual(new Set(await emptyQueries(prometheus)), expected)
        return true
      },
      { withinMs: 30_000, everyMs: 500 },
    )
  })

  await t.test('every rule is evaluated, and its expression is none that Prometheus objects to', async () => {
    const { groups } = (await prometheus.get('rules')) as {
      groups: { rules: { name: string; health: string; lastError?: string }[] }[]
    }
    const evaluated = groups.flatMap(({ rules }) => rules)
    equal(evaluated.length, readRules().length)
    for (const { name, health, lastError } of evaluated) equal(health, 'ok', `${name}: ${lastError}`)
    for (const { expr } of readRules()) await prometheus.query(expr)
    for (const { record, labels } of readRules().filter(rule => rule.record !== undefined)) {
      const slo = labels?.['slo'] ?? ''
      ok((await prometheus.query(slo === '' ? `${record}` : `${record}{slo="${slo}"}`)).length > 0, `${record} ${slo}`)
    }
  })

  await t.test('every variable has what can be chosen', async () => {
    for (const { uid, templating } of readDashboards()) {
      for (const { name, definition } of templating.list) {
        const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(definition ?? '') ?? []
        if (metric === undefined) continue
        const values = await prometheus.query(`group by (${label}) (${metric})`)
        ok(values.length > 0, `${uid}: ${name}`)
      }
    }
  })
})
