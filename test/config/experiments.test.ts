import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load, models, problemsOf, testProblems } from './load.ts'

const targets = (...arms: readonly string[]) =>
  `targets: [${arms.map((arm, index) => `{ backend: ${index % 2 === 0 ? 'a' : 'b'}${arm === '' ? '' : `, arm: ${arm}`} }`).join(', ')}]`

testProblems({
  'an arm without an experiment': {
    yaml: models('  m:\n    targets:\n      - { backend: a, arm: control }\n      - { backend: b }\n'),
    where: 'weir.yaml:5:28',
    key: 'models.m.targets[0].arm',
    problem: /has no experiment/,
    fix: /`experiment: \{ name: … \}`/,
  },
  'a target that is no arm': {
    yaml: models(
      `  m:\n    experiment: { name: x }\n    targets:\n      - { backend: a, arm: old }\n      - { backend: b }\n`,
    ),
    where: 'weir.yaml:7:9',
    key: 'models.m.targets[1]',
    problem: /no arm/,
    fix: /`arm`: one of old, or a new one/,
  },
  'a single arm': {
    yaml: models(`  m:\n    experiment: { name: x }\n    ${targets('old', 'old')}\n`),
    where: 'weir.yaml:4:5',
    key: 'models.m.experiment',
    problem: /only arm is "old"/,
    fix: /two or more/,
  },
  'two experiments of one name': {
    yaml: models(
      `  m:\n    experiment: { name: x }\n    ${targets('a', 'b')}\n  n:\n    experiment: { name: x }\n    ${targets('a', 'b')}\n`,
    ),
    where: 'weir.yaml:7:25',
    key: 'models.n.experiment.name',
    problem: /already the experiment of the model "m"/,
    fix: /another name/,
  },
  'an arm that does not serve what its model does': {
    yaml: models(
      '  m:\n    experiment: { name: x }\n    targets:\n      - { backend: a, arm: a }\n      - { backend: b, arm: b, endpoints: [chat] }\n',
    ),
    where: 'weir.yaml:7:9',
    key: 'models.m.targets[1]',
    problem: /arm "b" with a weight of 1 or more serves completions/,
    fix: /has no other/,
  },
  'an arm without a weight': {
    yaml: models(
      '  m:\n    experiment: { name: x }\n    endpoints: [chat]\n    targets:\n      - { backend: a, arm: a, weight: 0 }\n      - { backend: b, arm: b }\n',
    ),
    where: 'weir.yaml:7:9',
    key: 'models.m.targets[0]',
    problem: /arm "a" with a weight of 1 or more serves chat/,
    fix: /has no other/,
  },
  'a name of an arm that is none is one mistake': {
    yaml: models(`  m:\n    experiment: { name: x }\n    ${targets('Old', 'new')}\n`),
    where: 'weir.yaml:5:34',
    key: 'models.m.targets[0].arm',
    problem: /not the form/,
    fix: /small letters/,
  },
  'a name of an experiment that is none is one mistake': {
    yaml: models(`  m:\n    experiment: { name: X! }\n    ${targets('old', 'new')}\n`),
    where: 'weir.yaml:4:25',
    key: 'models.m.experiment.name',
    problem: /not the form/,
    fix: /small letters/,
  },
})

test('targets without any arm are each named', t => {
  const yaml = models(`  m:\n    experiment: { name: x }\n    ${targets('', '')}\n`)
  assert.deepEqual(
    problemsOf(t, { yaml }).map(({ key, fix }) => [key, fix]),
    [0, 1].map(index => [`models.m.targets[${index}]`, 'Add the key `arm`: such as `arm: control`.']),
  )
})

test('an arm may have several targets, and one backend several arms', t => {
  const { config } = load(t, {
    yaml: models(`  m:\n    experiment: { name: x }\n    ${targets('old', 'old', 'new')}\n`),
  })
  assert.deepEqual(
    config.models['m']?.targets.map(({ backend, arm }) => [backend, arm]),
    [
      ['a', 'old'],
      ['b', 'old'],
      ['a', 'new'],
    ],
  )
})
