import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { ConfigError } from '../../src/config/problem.ts'
import { readSecretFile, redact, weaknessOf } from '../../src/config/secrets.ts'
import { loadConfig } from '../../src/config.ts'
import { assertProblem, load, makeFolder, problemsOf, testProblems } from './load.ts'

const strong = 'correct horse battery staple, and more of them'

testProblems({
  'a secret that stands in the file': {
    yaml: 'auth:\n  adminKey: hunter2-hunter2-hunter2-hunter2-abc\n',
    where: 'weir.yaml:2:13',
    key: 'auth.adminKey',
    problem: /^A secret does not stand in this file, only where to find it\.$/,
    fix: /\{ env: NAME \}/,
  },
  'a secret that names a variable that is not set': {
    yaml: 'auth:\n  adminKey: { env: NOT_SET }\n',
    where: 'weir.yaml:2:3',
    key: 'auth.adminKey',
    problem: /The environment has no NOT_SET/,
    fix: /Set NOT_SET/,
  },
  'a secret that names a file that is not there': {
    yaml: 'auth:\n  adminKey: { file: gone }\n',
    where: 'weir.yaml:2:3',
    key: 'auth.adminKey',
    problem: /no file "gone"/,
    fix: /Create it/,
  },
  'a secret in two places': {
    yaml: 'auth:\n  adminKey: { file: a, env: B }\n',
    where: 'weir.yaml:2:3',
    key: 'auth.adminKey',
    problem: /only where to find it/,
    fix: /`\{ env: NAME \}` or `\{ file: PATH \}`/,
  },
})

test('a secret is read by name of a variable or of a file beside weir.yaml, without the line break', t => {
  const files = {
    'sub/weir.yaml': 'auth: { adminKey: { file: key }, keyPepper: { env: PEPPER } }',
    'sub/key': `${strong}\n`,
  }
  const env = { WEIR_CONFIG: 'sub/weir.yaml', PEPPER: `${strong}!` }
  const { config, origins } = load(t, { files, env })
  assert.equal(config.auth.adminKey, strong)
  assert.equal(config.auth.keyPepper, `${strong}!`)
  assert.equal(origins['auth.adminKey'], 'sub/weir.yaml:1 (file key)')
  assert.equal(origins['auth.keyPepper'], 'sub/weir.yaml:1 (environment PEPPER)')
})

test('what the environment has is not looked for in the file', t => {
  const { config } = load(t, { yaml: 'auth: { adminKey: { env: NOT_SET } }', env: { WEIR_ADMIN_KEY: strong } })
  assert.equal(config.auth.adminKey, strong)
})

test('a secret file that is empty, a folder, huge or closed', t => {
  const folder = makeFolder(t, { empty: '\n', huge: 'x'.repeat(70_000), closed: 'x', 'dir/file': '' })
  const complaint = (path: string) => {
    const result = readSecretFile(path, folder)
    return result.kind === 'complaint' ? result.complaint.problem : ''
  }
  assert.match(complaint('empty'), /empty/)
  assert.match(complaint('dir'), /folder/)
  assert.match(complaint('huge'), /too large/)
  chmodSync(join(folder, 'closed'), 0)
  if (process.getuid?.() !== 0) assert.match(complaint('closed'), /EACCES/)
  assert.match(complaint('empty/below'), /cannot be read \(ENOTDIR\)/)
})

test('keys and peppers that are short, known or unsendable are refused', t => {
  const weak: readonly (readonly [string, RegExp])[] = [
    ['short', /5 characters, at least 32/],
    ['a'.repeat(40), /repeats itself/],
    ['changeme'.repeat(5), /placeholder/],
    ['please-change-me-please-change-me-123', /placeholder/],
    ['1234'.repeat(10), /repeats itself/],
    ['change-me-in-production-change-me-in-production', /placeholder/],
    ['YOUR_OWN_ADMIN_KEY_OF_AT_LEAST_32_CHARACTERS', /placeholder/],
    ['replace_this_with_a_long_random_key_1', /placeholder/],
    ['your-secret-key-goes-here-0123456789', /placeholder/],
    [`${strong}\nsecond line`, /header/],
    [` ${strong}`, /header/],
    [`${strong}ü`, /header/],
  ]
  for (const [text, words] of weak) {
    assert.match(weaknessOf(text)?.problem ?? '', words, text)
    for (const [name, key] of [
      ['WEIR_ADMIN_KEY', 'auth.adminKey'],
      ['WEIR_KEY_PEPPER', 'auth.keyPepper'],
    ] as const) {
      assertProblem(problemsOf(t, { env: { [name]: text } }), {
        where: `environment ${name}`,
        key,
        problem: words,
        fix: /./,
      })
    }
  }
  const passphrases = [
    'correct horse battery staple your own admin key',
    'please do not change me, I am long enough',
    'password123password123password123',
    'abcde'.repeat(8),
  ]
  const random = [strong, '0123456789abcdef0123456789abcdef', 'sk-weir-test-admin-key-for-this-machine']
  for (const text of [...random, ...passphrases]) {
    assert.equal(weaknessOf(text), undefined, text)
  }
})

test('random keys are never weak', () => {
  const hex = fc.stringMatching(/^[0-9a-f]{64}$/)
  const base64 = fc.stringMatching(/^[A-Za-z0-9+/]{43}=$/)
  const random = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.oneof(hex, base64), random, (_, bytes) => {
      // Generators shrink to repeated letters, so what they vary is hashed into something even.
      const even = Buffer.from(bytes.map((byte, index) => (byte + index * 37 + 11) % 256))
      assert.equal(weaknessOf(even.toString('base64url')), undefined)
    }),
  )
})

test('key and pepper must differ', t => {
  const problems = problemsOf(t, { env: { WEIR_ADMIN_KEY: strong, WEIR_KEY_PEPPER: strong } })
  assertProblem(problems, {
    where: 'environment WEIR_KEY_PEPPER',
    key: 'auth.keyPepper',
    problem: /same as auth\.adminKey/,
    fix: /openssl/,
  })
})

test('a database of its own needs a pepper', t => {
  assertProblem(problemsOf(t, { env: { DATABASE_URL: 'postgres://h/db' } }), {
    where: 'default',
    key: 'auth.keyPepper',
    problem: /needs a pepper/,
    fix: /WEIR_KEY_PEPPER/,
  })
})

test('a URL of a store that is none', t => {
  for (const [name, key, text] of [
    ['DATABASE_URL', 'stores.databaseUrl', 'mysql://u:hunter2@h/db'],
    ['DATABASE_URL', 'stores.databaseUrl', 'hunter2'],
    ['REDIS_URL', 'stores.redisUrl', 'http://u:hunter2@h'],
    ['REDIS_URL', 'stores.redisUrl', 'redis://'],
  ] as const) {
    const problems = problemsOf(t, { env: { [name]: text, WEIR_KEY_PEPPER: strong } })
    assertProblem(problems, { where: `environment ${name}`, key, problem: /^This is no /, fix: /^Write / })
    assert.doesNotMatch(JSON.stringify(problems), /hunter2/)
  }
})

test('a login in the URL of a backend is refused and not repeated', t => {
  const problems = problemsOf(t, { env: { WEIR_BACKEND_URL: 'http://user:hunter2@h:1' } })
  assertProblem(problems, {
    where: 'environment WEIR_BACKEND_URL',
    key: 'backends.backend-1.url',
    problem: /login/,
    fix: /apiKey/,
  })
  assert.doesNotMatch(JSON.stringify(problems), /hunter2/)
})

test('a key for a backend that no header can carry', t => {
  const problems = problemsOf(t, { env: { WEIR_BACKEND_URL: 'http://h', WEIR_BACKEND_API_KEY: 'a\r\nb: c' } })
  assertProblem(problems, {
    where: 'environment WEIR_BACKEND_API_KEY',
    key: 'backends.backend-1.apiKey',
    problem: /header/,
    fix: /ASCII/,
  })
})

test('of a secret nothing is shown, of the URL of a store all but login and query', () => {
  assert.equal(redact('anything'), '***')
  assert.equal(redact('https://user:pass@host/x'), '***')
  assert.equal(redact('postgres://user:pass@host:5432/db?password=x'), 'postgres://user:***@host:5432/db?***')
  assert.equal(redact('redis://:pass@host/0'), 'redis://:***@host/0')
  assert.equal(redact('rediss://token@host'), 'rediss://***@host')
  assert.equal(redact('postgresql:///db'), '***')
})

test('no secret is in any problem or warning, wherever it stands by mistake', t => {
  const secret = 'S3CR3T-that-must-never-be-shown-0123456789'
  const yamls = [
    `auth: { adminKey: ${secret} }`,
    `auth: { adminKey: { env: "${secret} x" } }`,
    `auth: { adminKey: [${secret}] }`,
    `auth: ${secret}`,
    `auth: { password: ${secret} }`,
    `stores: { databaseUrl: "postgres://u:${secret}@h/db", redisUrl: "redis://:${secret}@h" }`,
    `server: { host: "${secret} ", port: ${secret}, maxBody: ${secret}, grace: ${secret}, urlImages: ${secret} }`,
    `server: { trustedProxies: [${secret}], corsOrigins: [${secret}] }`,
    `log: { level: ${secret} }`,
    `backends: { a: { url: "http://u:${secret}@h", apiKey: ${secret} }, b: { url: "${secret}" } }`,
    `tiers: { free: { spendLimits: { perDay: ${secret} } } }`,
    `auth: { adminKey: "${secret} }`,
    `auth: { adminKey: *${secret} }`,
    `auth: { adminKey: !${secret} x }`,
    `auth: adminKey: ${secret}`,
    `auth:\n\tadminKey: ${secret}`,
    secret,
  ]
  for (const yaml of yamls) {
    const text = JSON.stringify(problemsOf(t, { yaml }))
    assert.ok(!text.includes('S3CR3T'), `${yaml}\n${text}`)
  }
})

test('no secret of the environment is in any problem, whatever it is', t => {
  const folder = makeFolder(t)
  const names = ['DATABASE_URL', 'REDIS_URL', 'WEIR_ADMIN_KEY', 'WEIR_KEY_PEPPER', 'WEIR_BACKEND_API_KEY']
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.stringMatching(/^[!-~]{1,60}$/), (name, filling) => {
      const secret = `Zq${filling}qZ`
      try {
        const { warnings, origins } = loadConfig({ argv: [], env: { [name]: secret }, cwd: folder })
        assert.ok(!JSON.stringify([warnings, origins]).includes(secret))
      } catch (error) {
        assert.ok(error instanceof ConfigError)
        assert.ok(!JSON.stringify(error.problems).includes(secret) && !error.message.includes(secret))
      }
    }),
  )
})
