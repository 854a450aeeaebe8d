import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { errorCatalogue } from '../../../src/errors.ts'
import { parseMonitoring, readDashboards, readMonitoring, readRules } from '../../support/monitoring.ts'
import { monitoring, promtool } from '../../support/prometheus.ts'

const alerts = readRules().filter(({ alert }) => alert !== undefined)
const files = globSync('tests/*.yml', { cwd: monitoring }).sort()

async function passes(...args: string[]): Promise<void> {
  const { code, output } = await promtool(args)
  equal(code, 0, output)
}

test('promtool finds nothing wrong with the rules and the example of a configuration', async () => {
  await passes('check', 'rules', '--lint=all', '--lint-fatal', 'alerts.yml')
  await passes('check', 'config', 'prometheus.yml')
  await passes('check', 'config', '--syntax-only', '../deploy/compose/prometheus/prometheus.yml')
})

test('every alert fires when it should, and is quiet near its threshold', { concurrency: 2 }, async t => {
  await Promise.all(files.map(file => t.test(file, () => passes('test', 'rules', file))))
})

interface UnitTests {
  readonly tests: readonly {
    readonly input_series: readonly object[]
    readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts: readonly object[] }[]
  }[]
}

test('every alert has a case that makes it fire and one that keeps it quiet', () => {
  const cases = files
    .flatMap(file => (parseMonitoring(file) as UnitTests).tests)
    .flatMap(({ input_series, alert_rule_test = [] }) =>
      alert_rule_test.map(({ alertname, exp_alerts }) => ({
        name: alertname,
        // Without any series everything is quiet.
        kind: exp_alerts.length > 0 ? 'fires' : input_series.length > 0 ? 'quiet' : 'nothing',
      })),
    )
  const having = (kind: string) => new Set(cases.filter(found => found.kind === kind).map(({ name }) => name))
  const names = new Set(alerts.map(({ alert }) => alert))
  deepEqual(having('fires'), names)
  deepEqual(having('quiet'), names)
})

test('every alert says how bad it is, what has happened, and where its page and its panel are', () => {
  const runbook = readFileSync(new URL('../../../docs/RUNBOOK.md', import.meta.url), 'utf8')
  const anchors = new Set(Array.from(runbook.matchAll(/^#+ (\w+)$/gm), ([, title = '']) => title.toLowerCase()))
  const panels = new Set(
    readDashboards().flatMap(({ uid, panels }) => panels.map(({ id }) => `/d/${uid}?viewPanel=${id}`)),
  )
  const seen = new Set<string>()
  for (const { alert = '', labels, annotations } of alerts) {
    match(alert, /^Weir[A-Z]\w+$/)
    ok(!seen.has(alert), `${alert} is there twice`)
    seen.add(alert)
    match(labels?.['severity'] ?? '', /^(page|ticket)$/, alert)
    ok((annotations?.['summary'] ?? '').length > 10, alert)
    ok((annotations?.['description'] ?? '').length > 10, alert)
    equal(annotations?.['runbook_url'], `docs/RUNBOOK.md#${alert.toLowerCase()}`)
    ok(anchors.has(alert.toLowerCase()), `docs/RUNBOOK.md has no section ${alert}`)
    ok(panels.has(annotations?.['dashboard'] ?? ''), `${alert}: there is no panel ${annotations?.['dashboard']}`)
  }
  const sections = Array.from(runbook.matchAll(/^### (\w+)$/gm), ([, title = '']) => title)
  deepEqual(new Set(sections), seen, 'the runbook has sections of no alert')
})

test('the objective counts as bad what is no fault of a caller, everywhere alike', () => {
  const words = (name: string) => name.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
  const bad = Object.entries(errorCatalogue).flatMap(([name, { status }]) => (status >= 500 ? [words(name)] : []))
  for (const file of ['alerts.yml', 'grafana/dashboards/weir-overview.json']) {
    const lists = Array.from(readMonitoring(file).matchAll(/outcome=~\\?"([a-z_|]*upstream_error[a-z_|]*)\\?"/g))
    ok(lists.length > 0, file)
    for (const [, list = ''] of lists) {
      deepEqual(new Set(list.split('|').filter(word => word !== 'ok')), new Set(bad), file)
    }
  }
})
