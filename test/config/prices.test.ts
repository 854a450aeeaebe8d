import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load, models, testProblems } from './load.ts'

testProblems({
  'prices that do not rise by day': {
    yaml: models(
      '  m:\n    targets: [{ backend: a }]\n    prices:\n      - { from: 2026-02-01, input: "1" }\n      - { from: 2026-01-01, input: "1" }\n',
    ),
    where: 'weir.yaml:7:17',
    key: 'models.m.prices[1].from',
    problem: /does not begin after/,
    fix: /newest last/,
  },
  'prices of a target that do not rise by day': {
    yaml: models(
      '  m:\n    targets:\n      - backend: a\n        prices:\n          - { from: 2026-02-01, input: "1" }\n          - { from: 2026-02-01, input: "1" }\n',
    ),
    where: 'weir.yaml:8:21',
    key: 'models.m.targets[0].prices[1].from',
    problem: /does not begin after/,
    fix: /newest last/,
  },
  'a price of a target without amount': {
    yaml: models('  m:\n    targets: [{ backend: a, prices: [{ from: 2026-02-01 }] }]\n'),
    where: 'weir.yaml:4:38',
    key: 'models.m.targets[0].prices[0]',
    problem: /no amount/,
    fix: /Add input/,
  },
  'a price by token and by time': {
    yaml: models(
      '  m:\n    targets: [{ backend: a }]\n    prices: [{ from: 2026-02-01, input: "1", perSecond: "1" }]\n',
    ),
    where: 'weir.yaml:5:57',
    key: 'models.m.prices[0].perSecond',
    problem: /both/,
    fix: /Keep/,
  },
  'a price without amount': {
    yaml: models('  m:\n    targets: [{ backend: a }]\n    prices: [{ from: 2026-02-01 }]\n'),
    where: 'weir.yaml:5:14',
    key: 'models.m.prices[0]',
    problem: /no amount/,
    fix: /Add input/,
  },
  'a price that is a number': {
    yaml: models('  m:\n    targets: [{ backend: a }]\n    prices: [{ from: 2026-02-01, input: 0.10 }]\n'),
    where: 'weir.yaml:5:41',
    key: 'models.m.prices[0].input',
    problem: /Text/,
    fix: /"0\.10"/,
  },
  'a price finer than can be counted': {
    yaml: models('  m:\n    targets: [{ backend: a }]\n    prices: [{ from: 2026-02-01, input: "0.0000001" }]\n'),
    where: 'weir.yaml:5:41',
    key: 'models.m.prices[0].input',
    problem: /not an amount/,
    fix: /6 decimals/,
  },
  'a day that does not exist': {
    yaml: models('  m:\n    targets: [{ backend: a }]\n    prices: [{ from: 2026-02-30, input: "1" }]\n'),
    where: 'weir.yaml:5:22',
    key: 'models.m.prices[0].from',
    problem: /not a date/,
    fix: /2026-01-31/,
  },
  'a price by the second that could not be added up': {
    yaml: models(
      '  m:\n    targets: [{ backend: a }]\n    prices: [{ from: 2026-02-01, perSecond: "9000000.000000001" }]\n',
    ),
    where: 'weir.yaml:5:45',
    key: 'models.m.prices[0].perSecond',
    problem: /more than can be counted exactly/,
    fix: /at most 9000000/,
  },
  'a spend limit of more than 9 million USD, by the least there is': {
    yaml: 'tiers:\n  free:\n    spendLimits: { perDay: "9000000.000000001", perMonth: "9000000" }\n',
    where: 'weir.yaml:3:28',
    key: 'tiers.free.spendLimits.perDay',
    problem: /9000000\.000000001 is more than can be counted exactly/,
    fix: /at most 9000000/,
  },
  'a burst of requests that are not limited': {
    yaml: 'tiers:\n  free: { limits: { burst: 20, tokensPerMinute: 5 } }\n',
    where: 'weir.yaml:2:28',
    key: 'tiers.free.limits.burst',
    problem: /requests per minute, and those are not limited/,
    fix: /Add requestsPerMinute/,
  },
  'a burst of requests whose rate is wrong, which is all there is to say': {
    yaml: 'tiers:\n  free: { limits: { burst: 20, requestsPerMinute: -1 } }\n',
    where: 'weir.yaml:2:51',
    key: 'tiers.free.limits.requestsPerMinute',
    problem: /-1 is not from 0/,
    fix: /whole number/,
  },
  'a burst of nothing': {
    yaml: 'tiers:\n  free: { limits: { burst: 0, requestsPerMinute: 1 } }\n',
    where: 'weir.yaml:2:28',
    key: 'tiers.free.limits.burst',
    problem: /0 is not from 1/,
    fix: /whole number/,
  },
})

const twoModels = models(
  '  m: { targets: [{ backend: a }] }\n  n: { targets: [{ backend: b }], prices: [{ from: 2026-02-01, input: "1" }] }\n',
)

test('a model without a price beside a spend limit is a warning, one for all', t => {
  const limited = 'tiers: { free: { spendLimits: { perDay: "1" } }, gold: { spendLimits: { perMonth: "2" } } }\n'
  assert.deepEqual(load(t, { yaml: twoModels + limited }).warnings, [
    'weir.yaml:2: models without a price: m; what they use costs nothing under the spend limits of free, gold',
  ])
  for (const tiers of ['', 'tiers: { free: { spendLimits: {} } }\n'])
    assert.deepEqual(load(t, { yaml: twoModels + tiers }).warnings, [])
})

test('a model whose targets all have prices needs none', t => {
  const limited = 'tiers: { free: { spendLimits: { perDay: "1" } } }\n'
  const yaml = (second: string) =>
    models(`  m: { targets: [{ backend: a, prices: [{ from: 2026-02-01, input: "1" }] }, { backend: b${second} }] }\n`)
  for (const second of [', prices: [{ from: 2026-02-01, output: "0" }]', ', weight: 0'])
    assert.deepEqual(load(t, { yaml: yaml(second) + limited }).warnings, [])
  assert.match(load(t, { yaml: yaml('') + limited }).warnings[0] ?? '', /models without a price: m;/)
})

test('models that backends list have no price either', t => {
  const yaml =
    'backends: { a: { url: "http://a", discover: true } }\ntiers: { free: { spendLimits: { perDay: "1" } } }\n'
  assert.deepEqual(load(t, { yaml }).warnings, [
    'weir.yaml:2: tiers.free.spendLimits does not count models that backends list by themselves: they have no price',
  ])
})
