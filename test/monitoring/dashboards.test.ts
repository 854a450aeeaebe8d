import { deepEqual, equal, ok } from 'node:assert/strict'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { dashboardJson } from '../../monitoring/dashboards/dashboard.ts'
import { dashboards } from '../../monitoring/dashboards/dashboards.ts'
import { listMetrics } from '../../plugins/metrics.ts'
import { llamaServer } from '../support/engines.ts'
import { startFleet } from '../support/fleet.ts'
import { filledIn, parseMonitoring, readMonitoring, readQueries, readRules } from '../support/monitoring.ts'
import { monitoring, promtool } from '../support/prometheus.ts'
import { createRedisDatabase } from '../support/services.ts'

test('the dashboards are current', () => {
  const files = globSync('grafana/dashboards/*', { cwd: monitoring }).map(file => file.replaceAll('\\', '/'))
  deepEqual(new Set(files), new Set(dashboards.map(({ uid }) => `grafana/dashboards/${uid}.json`)))
  for (const dashboard of dashboards) {
    const made = `${JSON.stringify(dashboardJson(dashboard), null, 2)}\n`
    const committed = readMonitoring(join('grafana/dashboards', `${dashboard.uid}.json`))
    equal(committed, made, 'run `node scripts/write-monitoring.ts`')
  }
})

test('every panel has a number of its own, says what it shows, and fits into its row', () => {
  for (const { uid, panels } of dashboards) {
    const ids = panels.map(({ id }) => id)
    equal(ids.length, new Set(ids).size, `${uid}: numbers are links, each is one panel's`)
    for (const { title, description, targets, steps = [] } of panels) {
      ok(description.length > 10 && /[.]$/.test(description), `${uid}: ${title}`)
      ok(targets.length > 0, `${uid}: ${title}`)
      const bounds = steps.map(({ from }) => from)
      deepEqual(
        bounds,
        bounds.toSorted((a, b) => a - b),
        `${uid}: ${title}`,
      )
    }
  }
})

test('dashboards know every variable that they use, and use every one that they have', () => {
  for (const { uid, panels, variables } of dashboards) {
    const text = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join('\n')
    const used = Array.from(text.matchAll(/\$(?!__)(\w+)/g), ([, name = '']) => name)
    deepEqual(new Set(used), new Set<string>(variables), uid)
  }
  for (const { name, expr } of readQueries()) ok(!filledIn(expr).includes('$'), `${name}: ${expr}`)
})

test('provisioning names what there is', () => {
  const { datasources } = parseMonitoring('grafana/provisioning/datasources/prometheus.yaml') as {
    datasources: { type: string }[]
  }
  equal(datasources[0]?.type, 'prometheus')
  const { providers } = parseMonitoring('grafana/provisioning/dashboards/weir.yaml') as {
    providers: { type: string }[]
  }
  equal(providers[0]?.type, 'file')
})

/** Metrics that nobody looks at, and why. */
const unused: Readonly<Record<string, string>> = {}

test('every metric is in a panel or a rule, and these ask for none that there is not', async () => {
  const text = [...readQueries(), ...readRules()].map(({ expr }) => expr).join('\n')
  const asked = new Set(text.match(/\bweir_\w+/g))
  const described = await listMetrics()
  const series = ({ name, type }: { name: string; type: string }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name]
  deepEqual(
    described.filter(metric => !series(metric).some(name => asked.has(name))).map(({ name }) => name),
    Object.keys(unused),
  )
  const known = new Set(described.flatMap(series))
  deepEqual(
    [...asked].filter(name => !known.has(name)),
    [],
  )
})

test('promtool objects to names of the client library alone', async t => {
  const { gateway } = await startFleet(t, [llamaServer()], { env: { REDIS_URL: await createRedisDatabase(t) } })
  const { text } = await gateway.app.meters.expose()
  const { output } = await promtool(['check', 'metrics'], text)
  deepEqual(
    output.split('\n').filter(line => line !== '' && !/^(nodejs|process)_/.test(line)),
    [],
  )
})
