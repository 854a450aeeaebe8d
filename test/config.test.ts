import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError } from '../src/config/problem.ts'
import type { Config } from '../src/config.ts'
import { load, problemsOf } from './config/load.ts'

const scopes = ['chat', 'completions', 'embeddings', 'models', 'usage'] as const
const tier = {
  scopes,
  models: ['*'],
  maxTokens: {},
  quotas: {},
  spendLimits: {},
  totalDeadlineMs: 1_800_000,
  routingHeaders: false,
  whenLimiterDown: 'local',
} as const

/** The type checker holds this to the type of the configuration, and the test below the program: so both agree. */
const defaults = (folder: string): Config => ({
  server: {
    host: '127.0.0.1',
    port: 4000,
    internalHost: '127.0.0.1',
    trustedProxies: [],
    floodGuard: { requestsPerMinute: 60_000, failuresPerMinute: 600 },
    corsOrigins: [],
    maxBodyBytes: 8_388_608,
    commitAfterMs: 15_000,
    clientStallMs: 30_000,
    heartbeatMs: 15_000,
    graceMs: 30_000,
    minDrainMs: 0,
    watchConfig: true,
    urlImages: false,
  },
  stores: { dataDir: join(folder, '.weir'), migrate: 'new', replicas: 1 },
  auth: { keyCacheTtlMs: 30_000, tokenTtlMs: 900_000, issuers: {}, previousKeyPeppers: [] },
  log: { level: 'info', sampleSuccesses: 1 },
  engine: { slots: 4, contextLength: 2048 },
  routing: { maxAttempts: 3, maxWaiting: 1000 },
  ledger: {
    highBytes: 1_073_741_824,
    fullBytes: 2_147_483_648,
    highFreeBytes: 536_870_912,
    fullFreeBytes: 134_217_728,
    unknown: 'free',
  },
  backends: {},
  models: {},
  tiers: {
    free: {
      ...tier,
      limits: { requestsPerMinute: 60, tokensPerMinute: 100_000, requestsInFlight: 4 },
      priority: 20,
      queueWaitMs: 10_000,
    },
    premium: {
      ...tier,
      limits: { requestsPerMinute: 600, tokensPerMinute: 1_000_000, requestsInFlight: 32 },
      priority: 50,
      queueWaitMs: 30_000,
    },
    enterprise: { ...tier, limits: {}, priority: 80, queueWaitMs: 60_000 },
  },
  webhooks: {},
  cache: { maxSizeBytes: 67_108_864, maxQuestions: 5000, maxEntryBytes: 1_048_576 },
})

/** Tables by name have no prototype, which deepStrictEqual would count as a difference. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('nothing given: the defaults, embedded on loopback', t => {
  const { config, origins, warnings, file, folder } = load(t)
  assert.deepEqual(plain(config), plain(defaults(folder)))
  assert.deepEqual(new Set(Object.values(origins)), new Set(['default']))
  assert.deepEqual(warnings, [])
  assert.equal(file, null)
})

test('the configuration is frozen all through', t => {
  const { config } = load(t, { yaml: 'backends: { a: { url: "http://a", discover: true } }' })
  const check = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return
    assert.ok(Object.isFrozen(value), path)
    for (const [key, inner] of Object.entries(value)) check(inner, `${path}.${key}`)
  }
  check(config, 'config')
})

test('tables by name know no name that nobody gave', t => {
  const { config } = load(t)
  for (const name of ['constructor', 'toString', '__proto__']) assert.equal(config.models[name], undefined)
})

test('a model may be called __proto__', t => {
  const name = '__proto__'
  const yaml = `backends: { a: { url: "http://a" } }\nmodels: { ${name}: { targets: [{ backend: a }] } }`
  const { config } = load(t, { yaml })
  assert.equal(config.models[name]?.maxOutputTokens, 4096)
  assert.equal(Object.getPrototypeOf(config.models), null)
})

test('flag before environment before weir.yaml before default', t => {
  const yaml = 'server:\n  port: 1\n  host: 10.0.0.1\nlog: { level: warn }\n'
  const env = { PORT: '2', HOST: '10.0.0.2' }
  const { config, origins, file, folder } = load(t, { yaml, env, argv: ['--port', '3'] })
  assert.equal(config.server.port, 3)
  assert.equal(config.server.host, '10.0.0.2')
  assert.equal(config.log.level, 'warn')
  assert.equal(origins['server.port'], 'flag --port')
  assert.equal(origins['server.host'], 'environment HOST')
  assert.equal(origins['log.level'], 'weir.yaml:4')
  assert.equal(origins['server.maxBody'], 'default')
  assert.equal(file, join(folder, 'weir.yaml'))
})

test('a wrong value in weir.yaml does not count where the environment has another', t => {
  const { config } = load(t, { yaml: 'server: { port: nonsense }', env: { PORT: '2' } })
  assert.equal(config.server.port, 2)
})

test('an empty variable counts as not set', t => {
  const { config, origins } = load(t, { env: { PORT: '', DATABASE_URL: '', DATABASE_URL_FILE: '', WEIR_CONFIG: '' } })
  assert.equal(config.server.port, 4000)
  assert.equal(origins['server.port'], 'default')
})

test('with a database of its own it listens everywhere, unless told where', t => {
  const env = { DATABASE_URL: 'postgres://u:p@h/db', WEIR_KEY_PEPPER: 'A pepper for this test, long enough.' }
  const everywhere = load(t, { env })
  assert.equal(everywhere.config.server.host, '0.0.0.0')
  assert.equal(everywhere.origins['server.host'], 'default')
  assert.equal(load(t, { env: { ...env, HOST: '127.0.0.1' } }).config.server.host, '127.0.0.1')
  assert.equal(everywhere.config.server.minDrainMs, 5000)
  assert.equal(everywhere.origins['server.minDrain'], 'default')
  assert.equal(load(t, { env: { ...env, MIN_DRAIN: '0s' } }).config.server.minDrainMs, 0)
  assert.equal(load(t, { env, yaml: 'server: { grace: 6s }' }).config.server.minDrainMs, 1000)
})

test('weir.yaml is read from where --config or WEIR_CONFIG says', t => {
  const files = { 'a.yaml': 'server: { port: 1 }', 'sub/b.yaml': 'server: { port: 2 }' }
  const env = { WEIR_CONFIG: 'a.yaml' }
  assert.equal(load(t, { files, env }).origins['server.port'], 'a.yaml:1')
  const { config, file, folder } = load(t, { files, env, argv: ['--config', 'sub/b.yaml'] })
  assert.equal(config.server.port, 2)
  assert.equal(file, join(folder, 'sub/b.yaml'))
})

test('a file that was named and is not there is an error', t => {
  const problems = problemsOf(t, { env: { WEIR_CONFIG: 'gone.yaml' } })
  assert.equal(problems[0]?.where, 'environment WEIR_CONFIG')
  assert.match(problems[0]?.problem ?? '', /no file "gone\.yaml"/)
})

test('relative paths: of the file beside the file, of flags and variables where Weir was started', t => {
  const files = {
    'sub/weir.yaml': 'stores: { dataDir: data }\nengine: { model: m.gguf }',
    'sub/m.gguf': '',
    'n.gguf': '',
  }
  const argv = ['--config', 'sub/weir.yaml']
  const byFile = load(t, { files, argv })
  assert.equal(byFile.config.stores.dataDir, join(byFile.folder, 'sub/data'))
  assert.equal(byFile.config.engine.model, join(byFile.folder, 'sub/m.gguf'))
  const byFlag = load(t, { files, argv: [...argv, '--data-dir', 'data', '--model', 'n.gguf'] })
  assert.equal(byFlag.config.stores.dataDir, join(byFlag.folder, 'data'))
  assert.equal(byFlag.config.engine.model, join(byFlag.folder, 'n.gguf'))
})

test('all problems come at once: flags and variables first, then down the file', t => {
  const yaml =
    'server: { prot: 1 }\nbackends: { a: { url: "http://a/v1" } }\nmodels:\n  m: { targets: [{ backend: b }] }\n'
  assert.throws(
    () => load(t, { yaml, env: { INTERNAL_PORT: 'x' }, argv: ['--prot', '1'] }),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError)
      assert.deepEqual(
        error.problems.map(({ where, key }) => `${where} ${key}`),
        [
          'flag --prot ',
          'environment INTERNAL_PORT server.internalPort',
          'weir.yaml:1:11 server.prot',
          'weir.yaml:2:23 backends.a.url',
          'weir.yaml:4:29 models.m.targets[0].backend',
        ],
      )
      assert.match(error.message, /weir\.yaml:1:11 server\.prot: There is no such key\.\n {2}Did you mean "port"\?/)
      return true
    },
  )
})

test('the default tiers can be changed by name; a key that is given counts whole', t => {
  const yaml =
    'tiers:\n  free: { limits: { requestsPerMinute: 5 } }\n  premium: { limits: {} }\n  gold: { priority: 90 }\n'
  const { config, origins, warnings } = load(t, { yaml })
  assert.deepEqual(new Set(Object.keys(config.tiers)), new Set(['free', 'premium', 'enterprise', 'gold']))
  assert.deepEqual(config.tiers['free']?.limits, { requestsPerMinute: 5 })
  assert.equal(config.tiers['free']?.priority, 20)
  assert.deepEqual(config.tiers['premium']?.limits, {})
  assert.deepEqual(config.tiers['gold']?.scopes, scopes)
  assert.equal(origins['tiers.free.limits.requestsPerMinute'], 'weir.yaml:2')
  assert.equal(origins['tiers.free.priority'], 'default')
  assert.deepEqual(warnings, [])
})

test('no default tier may administer', t => {
  for (const { scopes } of Object.values(load(t).config.tiers)) assert.ok(!scopes.includes('admin'))
})

test('a key whose contents are all commented out counts as absent', t => {
  const { config } = load(t, { yaml: 'server:\n  # port: 1\nmodels:\nbackends:\ntiers:\n  free:\n' })
  assert.equal(config.server.port, 4000)
  assert.equal(config.tiers['free']?.priority, 20)
})

test('an empty file says nothing', t => {
  for (const yaml of ['', '# nothing\n', '---\n']) assert.equal(load(t, { yaml }).config.server.port, 4000)
})
