import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { buildExposition, metricsTypes, toOpenMetrics } from '../../src/metrics/exposition.ts'
import { buildGateway } from '../support/gateway.ts'

const openMetrics = 'application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

test('counters are called by what they count, and end in _total all the same', () => {
  const text = [
    '# HELP weir_things_total Things, "good" ones.',
    '# TYPE weir_things_total counter',
    'weir_things_total{kind="a_total"} 3',
    '',
    '# HELP weir_level How high.',
    '# TYPE weir_level gauge',
    'weir_level 1',
    '',
    '# HELP odd Counted, and called otherwise.',
    '# TYPE odd counter',
    'odd 2',
    '',
  ].join('\n')
  deepEqual(toOpenMetrics(text).split('\n'), [
    '# HELP weir_things Things, \\"good\\" ones.',
    '# TYPE weir_things counter',
    'weir_things_total{kind="a_total"} 3',
    '# HELP weir_level How high.',
    '# TYPE weir_level gauge',
    'weir_level 1',
    '# HELP odd Counted, and called otherwise.',
    '# TYPE odd unknown',
    'odd 2',
    '# EOF',
    '',
  ])
})

test('a scrape gets the format that it would rather have', async () => {
  const expose = buildExposition({ metrics: async () => '# TYPE a_total counter\na_total 1\n' })
  const cases = [
    [undefined, 'text/plain'],
    ['*/*', 'text/plain'],
    ['text/plain;version=0.0.4', 'text/plain'],
    ['application/json', 'text/plain'],
    [openMetrics, 'application/openmetrics-text'],
    ['application/openmetrics-text;q=0.3,text/plain', 'text/plain'],
  ] as const
  for (const [accept, type] of cases) equal((await expose(accept)).contentType, metricsTypes[type])
})

test('one format does not change what the other says', async t => {
  const { fetch, url } = await buildGateway(t)
  const scrape = async (accept: string) => {
    const answer = await fetch(`${url}/metrics`, { headers: { accept } })
    equal(answer.status, 200)
    const text = await answer.text()
    return { type: answer.headers.get('content-type'), text, names: namesOf(text) }
  }
  const before = await scrape('text/plain')
  const between = await scrape(openMetrics)
  const after = await scrape('text/plain')
  equal(between.type, metricsTypes['application/openmetrics-text'])
  match(between.text, /\n# EOF\n$/)
  ok(between.names.has('weir_config_reloads_total'))
  deepEqual(after.names, before.names)
  deepEqual(between.names, before.names)
})

/** Of all series but those that a scrape itself brings, without their labels, once each. */
function namesOf(text: string): ReadonlySet<string> {
  const names = text.split('\n').flatMap(line => /^[a-z_:][\w:]*/.exec(line)?.[0] ?? [])
  return new Set(names.filter(name => !/^weir_request|duration|^weir_gateway/.test(name)))
}
