import { models, testProblems } from './load.ts'

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
})
