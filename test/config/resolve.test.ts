import assert from 'node:assert/strict'
import { test } from 'node:test'
import { models, problemsOf, testProblems } from './load.ts'

testProblems({
  'an unknown key that is nearly one': {
    yaml: 'server:\n  host: a\n  potr: 1\n',
    where: 'weir.yaml:3:3',
    key: 'server.potr',
    problem: /no such key/,
    fix: /^Did you mean "port"\?$/,
  },
  'a key that belongs elsewhere': {
    yaml: 'log: {}\nmaxBody: 1MiB\n',
    where: 'weir.yaml:2:1',
    key: 'maxBody',
    problem: /no such key/,
    fix: /server\.maxBody/,
  },
  'a key that belongs under a name': {
    yaml: '\n\ncontextLength2: 1\nengine: { firstToken: 1s }\n'.replace('contextLength2: 1\n', ''),
    where: 'weir.yaml:3:11',
    key: 'engine.firstToken',
    problem: /no such key/,
    fix: /backends\.<name>\.timeouts\.firstToken/,
  },
  'an unknown key that is near to nothing': {
    yaml: 'log:\n  colour: red\n',
    where: 'weir.yaml:2:3',
    key: 'log.colour',
    problem: /no such key/,
    fix: /^Known keys here: level, sampleSuccesses\.$/,
  },
  'one value where keys belong': {
    yaml: 'log: info\n',
    where: 'weir.yaml:1:6',
    key: 'log',
    problem: /Keys with values/,
    fix: /level/,
  },
  'one value where a list belongs': {
    yaml: 'server: { trustedProxies: 10.0.0.0/8 }',
    where: 'weir.yaml:1:27',
    key: 'server.trustedProxies',
    problem: /A list is expected/,
    fix: /\[one, two\]/,
  },
  'an item twice': {
    yaml: 'server:\n  trustedProxies:\n    - 10.0.0.0/8\n    - 10.0.0.0/8\n',
    where: 'weir.yaml:4:7',
    key: 'server.trustedProxies[1]',
    problem: /already has this item/,
    fix: /Remove/,
  },
  'a backend with an impossible name': {
    yaml: 'backends:\n  GPU_1: { url: "http://a", discover: true }\n',
    where: 'weir.yaml:2:3',
    key: 'backends.GPU_1',
    problem: /cannot be a name/,
    fix: /small letters, digits and hyphens/,
  },
  'a missing key': {
    yaml: 'backends:\n  gpu: { discover: true }\n',
    where: 'weir.yaml:2:3',
    key: 'backends.gpu.url',
    problem: /missing/,
    fix: /Add `url`/,
  },
  'a model with dots in its name': {
    yaml: models('  llama-3.1:\n    targets: []\n'),
    where: 'weir.yaml:4:5',
    key: 'models."llama-3.1".targets',
    problem: /empty/,
    fix: /at least one/,
  },
})

test('a broken backend is still a name that others may use', t => {
  const yaml = 'backends:\n  a: { url: 5 }\nmodels: { m: { targets: [{ backend: a }] } }\n'
  assert.deepEqual(
    problemsOf(t, { yaml }).map(({ key }) => key),
    ['backends.a.url'],
  )
})
