import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { environmentNames } from '../../src/config/environment.ts'
import { assertProblem, load, problemsOf } from './load.ts'

const long = 'a secret of a test that is long enough'

test('every variable is obeyed', t => {
  const files = {
    'other.yaml': '',
    'db-url': 'postgres://u:p@h/db\n',
    'redis-url': 'redis://h\r\n',
    key: 'k',
    pepper: long,
  }
  const texts: Readonly<Record<string, readonly [text: string, key: string, shown: unknown]>> = {
    HOST: ['10.1.1.1', 'server.host', '10.1.1.1'],
    PORT: ['1', 'server.port', 1],
    INTERNAL_HOST: ['10.1.1.2', 'server.internalHost', '10.1.1.2'],
    INTERNAL_PORT: ['2', 'server.internalPort', 2],
    PROBE_PORT: ['3', 'server.probePort', 3],
    TRUSTED_PROXIES: ['10.0.0.0/8, ,fd00::/8', 'server.trustedProxies', ['10.0.0.0/8', 'fd00::/8']],
    FLOOD_GUARD_REQUESTS: ['3', 'server.floodGuard.requestsPerMinute', 3],
    FLOOD_GUARD_FAILURES: ['0', 'server.floodGuard.failuresPerMinute', 0],
    MIN_DRAIN: ['7s', 'server.minDrainMs', 7000],
    LOG_LEVEL: ['debug', 'log.level', 'debug'],
    DATABASE_URL: ['postgres://u:p@h/db', 'stores.databaseUrl', 'postgres://u:p@h/db'],
    DATABASE_URL_FILE: ['db-url', 'stores.databaseUrl', 'postgres://u:p@h/db'],
    WEIR_MIGRATE: ['never', 'stores.migrate', 'never'],
    REDIS_URL: ['rediss://h', 'stores.redisUrl', 'rediss://h'],
    REDIS_URL_FILE: ['redis-url', 'stores.redisUrl', 'redis://h'],
    WEIR_REPLICAS: ['4', 'stores.replicas', 4],
    WEIR_DATA_DIR: ['/data', 'stores.dataDir', '/data'],
    WEIR_ADMIN_KEY: [long, 'auth.adminKey', long],
    WEIR_ADMIN_KEY_FILE: ['pepper', 'auth.adminKey', long],
    WEIR_KEY_PEPPER: [`${long}2`, 'auth.keyPepper', `${long}2`],
    WEIR_KEY_PEPPER_FILE: ['pepper', 'auth.keyPepper', long],
    WEIR_BACKEND_URL: ['http://a', 'backends.backend-1.url', 'http://a'],
    WEIR_BACKEND_API_KEY: ['k', 'backends.backend-1.apiKey', 'k'],
    WEIR_BACKEND_API_KEY_FILE: ['key', 'backends.backend-1.apiKey', 'k'],
    WEIR_CONFIG: ['other.yaml', '', undefined],
  }
  assert.deepEqual(new Set(Object.keys(texts)), new Set(environmentNames()))
  for (const [name, [text, key, value]] of Object.entries(texts)) {
    const env: NodeJS.ProcessEnv = { WEIR_BACKEND_URL: 'http://a', WEIR_KEY_PEPPER: `${long}3`, [name]: text }
    if (name === 'WEIR_KEY_PEPPER_FILE') delete env['WEIR_KEY_PEPPER']
    const { config, origins, file } = load(t, { env, files })
    if (name === 'WEIR_CONFIG') assert.match(file ?? '', /other\.yaml$/)
    else {
      const found = key.split('.').reduce<unknown>((inner, step) => Object(inner)[step], config)
      assert.deepEqual(found, value, name)
      assert.equal(origins[key.replace(/Ms$/, '')], `environment ${name}`)
    }
  }
})

test('the example names every variable that has no file twin', () => {
  const example = readFileSync(new URL('../../weir.example.yaml', import.meta.url), 'utf8')
  for (const name of environmentNames()) {
    if (name === 'WEIR_CONFIG' || name === 'WEIR_BACKEND_API_KEY_FILE') continue
    assert.match(example, new RegExp(`\\b${name}\\b`), name)
  }
})

test('a variable with a wrong value is named by its name and its key', t => {
  assertProblem(problemsOf(t, { env: { PORT: '80a' } }), {
    where: 'environment PORT',
    key: 'server.port',
    problem: /not a whole number/,
    fix: /0 to 65535/,
  })
  assertProblem(problemsOf(t, { env: { TRUSTED_PROXIES: '10.0.0.0/8,nonsense' } }), {
    where: 'environment TRUSTED_PROXIES',
    key: 'server.trustedProxies[1]',
    problem: /no CIDR/,
    fix: /10\.0\.0\.0\/8/,
  })
  assertProblem(problemsOf(t, { env: { WEIR_BACKEND_URL: 'http://a/v1' } }), {
    where: 'environment WEIR_BACKEND_URL',
    key: 'backends.backend-1.url',
    problem: /\/v1/,
    fix: /Write http:\/\/a\./,
  })
})

test('a secret and its file twin do not go together', t => {
  assertProblem(problemsOf(t, { env: { REDIS_URL: 'redis://a', REDIS_URL_FILE: 'f' }, files: { f: 'redis://b' } }), {
    where: 'environment REDIS_URL',
    key: 'stores.redisUrl',
    problem: /Both REDIS_URL and REDIS_URL_FILE/,
    fix: /one of the two/,
  })
})

test('a variable that is nearly one of ours is named; those of orchestrators are not', t => {
  const env = { WEIR_ADMINKEY: 'x', WEIR_PORT_4000_TCP: 'x', WEIR_SERVICE_HOST: 'x', WEIR_DATADIR: 'x' }
  assert.deepEqual(load(t, { env }).warnings, [
    'environment WEIR_ADMINKEY: not known; did you mean WEIR_ADMIN_KEY?',
    'environment WEIR_DATADIR: not known; did you mean WEIR_DATA_DIR?',
  ])
})

test('WEIR_BACKEND_URL makes backends whose models are discovered, with WEIR_BACKEND_API_KEY', t => {
  const env = { WEIR_BACKEND_URL: 'http://a:1, https://b/base', WEIR_BACKEND_API_KEY: 'backend-key' }
  const { config, origins, warnings } = load(t, { env })
  assert.deepEqual(Object.keys(config.backends), ['backend-1', 'backend-2'])
  assert.equal(config.backends['backend-1']?.url, 'http://a:1')
  assert.equal(config.backends['backend-2']?.url, 'https://b/base')
  for (const backend of Object.values(config.backends)) {
    assert.equal(backend.discover, true)
    assert.equal(backend.apiKey, 'backend-key')
    assert.equal(backend.timeouts.firstTokenMs, 120_000)
  }
  assert.equal(origins['backends.backend-1.url'], 'environment WEIR_BACKEND_URL')
  assert.deepEqual(warnings, [])
})

test('--backend, repeated, takes the place of WEIR_BACKEND_URL', t => {
  const argv = ['--backend', 'http://c', '--backend=http://d']
  const { config, origins } = load(t, { argv, env: { WEIR_BACKEND_URL: 'http://a' } })
  assert.deepEqual(
    Object.values(config.backends).map(({ url }) => url),
    ['http://c', 'http://d'],
  )
  assert.equal(origins['backends.backend-2.url'], 'flag --backend')
})

test('a backend of the file with the same name is replaced whole, so its key goes nowhere else', t => {
  const yaml =
    'backends:\n  backend-1: { url: "http://file", apiKey: { env: KEY } }\n  other: { url: "http://o", discover: true }\n'
  const { config, warnings } = load(t, { yaml, env: { KEY: 'secret', WEIR_BACKEND_URL: 'http://elsewhere' } })
  assert.equal(config.backends['backend-1']?.url, 'http://elsewhere')
  assert.equal(config.backends['backend-1']?.apiKey, undefined)
  assert.equal(config.backends['other']?.url, 'http://o')
  assert.deepEqual(warnings, ['environment WEIR_BACKEND_URL: takes the place of backends.backend-1 in the file'])
})

test('a backend key without a backend is named', t => {
  const { warnings } = load(t, { env: { WEIR_BACKEND_API_KEY: 'abc' } })
  assert.match(warnings[0] ?? '', /^environment WEIR_BACKEND_API_KEY: not used/)
})
