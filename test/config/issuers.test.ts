import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, load, problemsOf, testProblems } from './load.ts'

const strong = 'correct horse battery staple, and more of them'
/** A weir.yaml whose issuer `a` has these keys from the fourth line on. */
const issuer = (text: string) => `auth:\n  issuers:\n    a:\n${text.replaceAll(/^/gm, '      ')}\n`
const named = 'issuer: https://i/\naudience: [weir]\n'
const withUrl = (text = '') => issuer(`${named}jwksUrl: https://i/keys\n${text}`.trimEnd())
const withSecret = (text = '') => issuer(`${named}secret: { env: JWT_SECRET }\n${text}`.trimEnd())

test('an issuer that says the least: what the rest is then', t => {
  const { config, warnings } = load(t, { yaml: withUrl() })
  assert.deepEqual(JSON.parse(JSON.stringify(config.auth.issuers['a'])), {
    issuer: 'https://i/',
    audience: ['weir'],
    jwksUrl: 'https://i/keys',
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    claims: { account: 'sub' },
    tiers: {},
    scopes: ['chat', 'completions', 'embeddings', 'models', 'usage'],
    scopeNames: {},
    provision: false,
    defaultTier: 'free',
    clockToleranceMs: 30_000,
  })
  assert.equal(config.auth.tokenTtlMs, 900_000)
  assert.deepEqual(warnings, [])
})

test('an issuer with a secret', t => {
  const { config, origins } = load(t, { yaml: withSecret(), env: { JWT_SECRET: strong } })
  assert.equal(config.auth.issuers['a']?.secret, strong)
  assert.equal(origins['auth.issuers.a.secret'], 'weir.yaml:6 (environment JWT_SECRET)')
})

testProblems({
  'an issuer without a way to check its tokens': {
    yaml: issuer(named.trimEnd()),
    where: 'weir.yaml:3:5',
    key: 'auth.issuers.a',
    problem: /neither secret nor jwksUrl/,
    fix: /and not both/,
  },
  'an issuer without audience': {
    yaml: issuer('issuer: i\naudience: []\njwksUrl: https://i/keys'),
    where: 'weir.yaml:5:7',
    key: 'auth.issuers.a.audience',
    problem: /list is empty/,
    fix: /at least one/,
  },
  'algorithms of tokens that no key set can check': {
    yaml: withUrl('algorithms: [HS256]'),
    where: 'weir.yaml:7:20',
    key: 'auth.issuers.a.algorithms[0]',
    problem: /"HS256" is not one of the choices/,
    fix: /RS256, ES256, EdDSA/,
  },
  'our own name': {
    yaml: issuer('issuer: weir\naudience: [weir]\njwksUrl: https://i/keys'),
    where: 'weir.yaml:4:15',
    key: 'auth.issuers.a.issuer',
    problem: /"weir" is the issuer of Weir's own tokens/,
    fix: /the tokens that you mean/,
  },
  'one issuer twice': {
    yaml: `${withUrl()}    b:\n${named.replaceAll(/^(?=.)/gm, '      ')}      jwksUrl: https://i/other\n`,
    where: 'weir.yaml:8:15',
    key: 'auth.issuers.b.issuer',
    problem: /already there as auth\.issuers\.a/,
    fix: /Remove one/,
  },
  'a tier that is not there, for a value': {
    yaml: withUrl('claims: { tier: plan }\ntiers: { gold: premum }'),
    where: 'weir.yaml:8:22',
    key: 'auth.issuers.a.tiers.gold',
    problem: /no tier "premum"/,
    fix: /Did you mean "premium"\?/,
  },
  'a tier that is not there, for new accounts': {
    yaml: withUrl('provision: true\ndefaultTier: gratis'),
    where: 'weir.yaml:8:20',
    key: 'auth.issuers.a.defaultTier',
    problem: /no tier "gratis"/,
    fix: /Known tiers: free, premium, enterprise/,
  },
  'an address with a login': {
    yaml: issuer(`${named}jwksUrl: https://user:hunter2@i/keys`),
    where: 'weir.yaml:6:16',
    key: 'auth.issuers.a.jwksUrl',
    problem: /login/,
    fix: /Leave it out/,
  },
  'an address that is none': {
    yaml: issuer(`${named}jwksUrl: file:///etc/keys`),
    where: 'weir.yaml:6:16',
    key: 'auth.issuers.a.jwksUrl',
    problem: /neither http/,
    fix: /./,
  },
  'a tolerance of hours': {
    yaml: withUrl('clockTolerance: 1h'),
    where: 'weir.yaml:7:23',
    key: 'auth.issuers.a.clockTolerance',
    problem: /out of range/,
    fix: /to 5m/,
  },
  'tokens of our own that live for days': {
    yaml: 'auth:\n  tokenTtl: 2d\n',
    where: 'weir.yaml:2:13',
    key: 'auth.tokenTtl',
    problem: /out of range/,
    fix: /from 1m to/,
  },
  'a scope that is none': {
    yaml: withUrl('claims: { scopes: scope }\nscopeNames: { dev: [chats] }'),
    where: 'weir.yaml:8:27',
    key: 'auth.issuers.a.scopeNames.dev[0]',
    problem: /"chats" is not one of the choices/,
    fix: /Did you mean "chat"\?/,
  },
})

test('K10: a secret that is short, a placeholder or missing is refused at the start', t => {
  for (const [text, problem] of [
    ['short', /5 characters, at least 32/],
    ['changeme'.repeat(5), /placeholder/],
    ['a'.repeat(40), /repeats itself/],
    ['', /The environment has no JWT_SECRET/],
  ] as const) {
    const problems = problemsOf(t, { yaml: withSecret(), env: { JWT_SECRET: text } })
    assertProblem(problems, { where: 'weir.yaml:6:7', key: 'auth.issuers.a.secret', problem, fix: /./ })
  }
})

test('a secret beside a key set, or with algorithms of one', t => {
  const env = { JWT_SECRET: strong }
  assertProblem(problemsOf(t, { yaml: withSecret('jwksUrl: https://i/keys'), env }), {
    where: 'weir.yaml:6:7',
    key: 'auth.issuers.a.secret',
    problem: /both secret and jwksUrl/,
    fix: /not both/,
  })
  assertProblem(problemsOf(t, { yaml: withSecret('algorithms: [RS256]'), env }), {
    where: 'weir.yaml:7:7',
    key: 'auth.issuers.a.algorithms',
    problem: /are HS256/,
    fix: /jwksUrl instead/,
  })
})

test('a login in an address is not repeated', t => {
  const problems = problemsOf(t, { yaml: issuer(`${named}jwksUrl: https://user:hunter2@i/keys`) })
  assert.doesNotMatch(JSON.stringify(problems), /hunter2/)
})

test('what is no mistake but worth knowing', t => {
  const warningsOf = (yaml: string) => load(t, { yaml }).warnings
  const plain = (host: string) => issuer(`${named}jwksUrl: http://${host}/keys?tenant=1`)
  for (const host of ['127.0.0.1:8080', 'localhost', '[::1]:1']) assert.deepEqual(warningsOf(plain(host)), [], host)
  for (const host of ['i', '10.0.0.1', '127.example.com'])
    assert.match(warningsOf(plain(host)).join(), /plain http/, host)
  const unused = warningsOf(withUrl('tiers: { a: free }\nscopeNames: { a: [chat] }\ndefaultTier: premium'))
  assert.deepEqual(unused, [
    'weir.yaml:7: auth.issuers.a.tiers is not used, because claims.tier is not set',
    'weir.yaml:8: auth.issuers.a.scopeNames is not used, because claims.scopes is not set',
    'weir.yaml:9: auth.issuers.a.defaultTier is not used, because provision is false',
  ])
})
