import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { parseMonitoring, readRules } from '../support/monitoring.ts'

interface Route {
  readonly receiver?: string
  readonly matchers?: readonly string[]
  readonly routes?: readonly Route[]
}

interface Alertmanager {
  readonly route: Route
  readonly receivers: readonly { readonly name: string }[]
  readonly inhibit_rules: readonly {
    readonly source_matchers: readonly string[]
    readonly target_matchers: readonly string[]
  }[]
}

const example = parseMonitoring('alertmanager.yml') as Alertmanager
const alerts = readRules().filter(({ alert }) => alert !== undefined)
const routesOf = (route: Route): readonly Route[] => [route, ...(route.routes ?? []).flatMap(routesOf)]

/** The values that matchers as `name="value"` ask for. */
function valuesOf(matchers: readonly string[], label: string): readonly string[] {
  return matchers.flatMap(matcher => new RegExp(`^${label}="([^"]*)"$`).exec(matcher)?.[1] ?? [])
}

test('every route leads to a receiver that there is, and every severity has one', () => {
  const names = new Set(example.receivers.map(({ name }) => name))
  const routes = routesOf(example.route)
  for (const { receiver } of routes) ok(names.has(receiver ?? ''), `${receiver}`)
  const routed = new Set(routes.flatMap(({ matchers = [] }) => valuesOf(matchers, 'severity')))
  deepEqual(routed, new Set(alerts.map(({ labels }) => labels?.['severity'])))
})

test('what follows from something is quiet while that is known', () => {
  const known = (label: string) => new Set(alerts.flatMap(({ labels }) => labels?.[label] ?? []))
  for (const follows of known('follows')) ok(known('cause').has(follows), `nothing is the cause ${follows}`)
  const inhibited = example.inhibit_rules.flatMap(({ source_matchers, target_matchers }) =>
    valuesOf(target_matchers, 'follows').filter(value => valuesOf(source_matchers, 'cause').includes(value)),
  )
  deepEqual(new Set(inhibited), known('follows'))
})
