import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load, models, problemsOf, testProblems } from './load.ts'

testProblems({
  'a target on a backend that is not there': {
    yaml: models('  m:\n    targets:\n      - { backend: c-1 }\n'),
    where: 'weir.yaml:5:20',
    key: 'models.m.targets[0].backend',
    problem: /no backend "c-1"/,
    fix: /Known backends: a, b/,
  },
  'a target on a backend that is nearly there': {
    yaml: 'backends: { gpu-one: { url: "http://a" } }\nmodels: { m: { targets: [{ backend: gpu_one }] } }',
    where: 'weir.yaml:2:37',
    key: 'models.m.targets[0].backend',
    problem: /no backend "gpu_one"/,
    fix: /Did you mean "gpu-one"\?/,
  },
  'the same target twice': {
    yaml: models('  m:\n    targets:\n      - { backend: a }\n      - { backend: b }\n      - { backend: a }\n'),
    where: 'weir.yaml:7:9',
    key: 'models.m.targets[2]',
    problem: /twice/,
    fix: /weight/,
  },
  'no target with a weight': {
    yaml: models('  m:\n    endpoints: [chat]\n    targets: [{ backend: a, weight: 0 }, { backend: b, weight: 0 }]\n'),
    where: 'weir.yaml:5:5',
    key: 'models.m.targets',
    problem: /weight 0/,
    fix: /1 or more/,
  },
  'an endpoint that no target serves': {
    yaml: models('  m:\n    endpoints: [chat, embeddings]\n    targets: [{ backend: a, endpoints: [chat] }]\n'),
    where: 'weir.yaml:5:5',
    key: 'models.m.targets',
    problem: /No target serves embeddings/,
    fix: /Add embeddings to a target/,
  },
  'a target with an endpoint that the model has not': {
    yaml: models('  m:\n    targets: [{ backend: a, endpoints: [chat, completions, embeddings] }]\n'),
    where: 'weir.yaml:4:60',
    key: 'models.m.targets[0].endpoints[2]',
    problem: /does not serve embeddings/,
    fix: /endpoints/,
  },
  'an alias that is the name of a model': {
    yaml: models('  m: { targets: [{ backend: a }] }\n  n: { aliases: [x, m], targets: [{ backend: a }] }\n'),
    where: 'weir.yaml:4:21',
    key: 'models.n.aliases[1]',
    problem: /"m" is already the name of a model/,
    fix: /Remove/,
  },
  'an alias that is an alias of another model': {
    yaml: models(
      '  m: { aliases: [x], targets: [{ backend: a }] }\n  n: { aliases: [x], targets: [{ backend: a }] }\n',
    ),
    where: 'weir.yaml:4:18',
    key: 'models.n.aliases[0]',
    problem: /"x" is already an alias of the model "m"/,
    fix: /Remove/,
  },
  'an alias that is the model itself': {
    yaml: models('  m: { aliases: [m], targets: [{ backend: a }] }\n  n: { targets: [{ backend: b }] }'),
    where: 'weir.yaml:3:18',
    key: 'models.m.aliases[0]',
    problem: /already the name/,
    fix: /Remove/,
  },
  'a fallback that is not there': {
    yaml: models('  m: { fallback: zzz, targets: [{ backend: a }] }\n'),
    where: 'weir.yaml:3:18',
    key: 'models.m.fallback',
    problem: /no model "zzz"/,
    fix: /`models`/,
  },
  'a fallback that is an alias': {
    yaml: models('  m: { fallback: x, targets: [{ backend: a }] }\n  n: { aliases: [x], targets: [{ backend: b }] }\n'),
    where: 'weir.yaml:3:18',
    key: 'models.m.fallback',
    problem: /"x" is an alias/,
    fix: /"n"/,
  },
  'a fallback to itself': {
    yaml: models('  m: { fallback: m, targets: [{ backend: a }] }\n'),
    where: 'weir.yaml:3:18',
    key: 'models.m.fallback',
    problem: /circle: m → m/,
    fix: /Remove/,
  },
  'an embedding model that is not there': {
    yaml: models(
      '  m: { targets: [{ backend: a }], cache: { semantic: { embeddingModel: n } } }\n  nn: { targets: [{ backend: b }] }\n',
    ),
    where: 'weir.yaml:3:72',
    key: 'models.m.cache.semantic.embeddingModel',
    problem: /no model "n"/,
    fix: /`models`|Did you mean/,
  },
  'an embedding model that does not embed': {
    yaml: models(
      '  m: { targets: [{ backend: a }], cache: { semantic: { embeddingModel: x } } }\n  n: { aliases: [x], targets: [{ backend: b }] }\n',
    ),
    where: 'weir.yaml:3:72',
    key: 'models.m.cache.semantic.embeddingModel',
    problem: /"n" does not serve embeddings/,
    fix: /Add embeddings/,
  },
  'a tier with a model that is not there': {
    yaml: `${models('  mistral: { targets: [{ backend: a }] }\n')}tiers:\n  free: { models: [mistrel] }\n`,
    where: 'weir.yaml:5:20',
    key: 'tiers.free.models[0]',
    problem: /no model "mistrel"/,
    fix: /Did you mean "mistral"\?/,
  },
})

test('a longer circle of fallbacks is named at each of its models', t => {
  const yaml = models(
    '  m: { fallback: n, targets: [{ backend: a }] }\n  n: { fallback: m, targets: [{ backend: b }] }\n  o: { fallback: m, targets: [{ backend: b }] }\n',
  )
  assert.deepEqual(
    problemsOf(t, { yaml }).map(({ where, problem }) => `${where} ${problem}`),
    [
      'weir.yaml:3:18 The fallbacks go round in a circle: m → n → m.',
      'weir.yaml:4:18 The fallbacks go round in a circle: n → m → n.',
    ],
  )
})

test('what backends list by themselves cannot be checked before they are asked', t => {
  const yaml =
    'backends: { a: { url: "http://a", discover: true } }\nmodels: { m: { fallback: n, targets: [{ backend: a }] } }\ntiers: { free: { models: [o] } }\n'
  const { warnings } = load(t, { yaml })
  assert.ok(warnings.some(text => /^weir\.yaml:2: models\.m\.fallback names no model/.test(text)))
})

test('what is allowed but probably not meant is a warning', t => {
  const yaml = `server: { trustedProxies: ["0.0.0.0/0"], internalHost: "::1" }
backends: { a: { url: "http://a" }, b: { url: "http://a/" }, c: { url: "http://c" } }
models: { m: { targets: [{ backend: a }, { backend: b }] } }
tiers: { free: { models: ["x*"] } }
`
  const { warnings } = load(t, { yaml })
  const expected = [
    /^weir\.yaml:1: server\.internalHost is not used/,
    /^weir\.yaml:1: server\.trustedProxies\[0\] trusts everybody/,
    /^weir\.yaml:2: backends\.b\.url is the address of backends\.a too/,
    /^weir\.yaml:2: backends\.c serves nothing/,
    /^weir\.yaml:4: tiers\.free\.models\[0\] matches no model/,
  ]
  for (const pattern of expected)
    assert.ok(
      warnings.some(text => pattern.test(text)),
      String(pattern),
    )
  assert.equal(warnings.length, expected.length, warnings.join('\n'))
})
