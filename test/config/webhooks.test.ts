import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listSettings, redactConfig } from '../../src/config/report.ts'
import { assertProblem, load, problemsOf } from './load.ts'

const strong = 'c0ffee5eed1e55-of-the-webhook-of-this-test'
const env = { HOOK_SECRET: strong }
const hook = (url: string, more = '') => `webhooks:\n  ops:\n    url: ${url}\n    secret: { env: HOOK_SECRET }\n${more}`

test('a webhook has its secret from elsewhere and three thresholds, and the secret is shown nowhere', t => {
  const loaded = load(t, { yaml: hook('https://ops.example/weir?to=me'), env })
  assert.deepEqual(
    { ...loaded.config.webhooks['ops'] },
    {
      url: 'https://ops.example/weir?to=me',
      secret: strong,
      thresholds: [50, 80, 100],
    },
  )
  assert.deepEqual(loaded.warnings, [])
  assert.ok(!JSON.stringify([listSettings(loaded), redactConfig(loaded.config)]).includes(strong))
})

test('of the URL of a webhook only the origin is shown: what follows may be what lets in', t => {
  const shown = (url: string) => {
    const loaded = load(t, { yaml: hook(url), env })
    const { webhooks } = redactConfig(loaded.config) as { webhooks: Record<string, { url: string }> }
    const [setting] = listSettings(loaded).filter(({ key }) => key === 'webhooks.ops.url')
    assert.equal(setting?.value, webhooks['ops']?.url)
    assert.ok(!JSON.stringify(loaded.warnings).includes('S3CR3T'))
    return setting?.value
  }
  assert.equal(shown('https://hooks.example:8443/services/S3CR3T?key=S3CR3T'), 'https://hooks.example:8443/***')
  assert.equal(shown('https://hooks.example?key=S3CR3T'), 'https://hooks.example/***')
  assert.equal(shown('https://hooks.example'), 'https://hooks.example')
  assert.equal(shown('https://hooks.example/'), 'https://hooks.example')
})

test('what is wrong with the URL of a webhook is said without it', t => {
  const wrong = [
    'hooks.example/S3CR3T',
    'hooks.example:8443/S3CR3T',
    'https://hooks.example/S3CR3T#there',
    'https://hooks.example/S3CR3T?a=S3CR3T#there',
    'https://me:S3CR3T@hooks.example',
    'https://[/S3CR3T',
    'ftp://hooks.example/S3CR3T',
    'S3CR3T',
  ]
  for (const url of wrong) {
    const problems = JSON.stringify(problemsOf(t, { yaml: hook(url), env }))
    assert.ok(!problems.includes('S3CR3T'), problems)
  }
})

test('what cannot be a webhook is refused', t => {
  const at = (key: string, where: string, problem: RegExp) => ({ where, key, problem, fix: /./ })
  const cases = [
    [hook('ftp://ops.example'), at('webhooks.ops.url', 'weir.yaml:3:10', /neither http/)],
    [hook('https://me:pass@ops.example'), at('webhooks.ops.url', 'weir.yaml:3:10', /login/)],
    [hook('https://ops.example/#there'), at('webhooks.ops.url', 'weir.yaml:3:10', /fragment/)],
    [hook('https://o.example', '    thresholds: [0]\n'), at('webhooks.ops.thresholds[0]', 'weir.yaml:5:18', /./)],
    [hook('https://o.example', '    thresholds: [101]\n'), at('webhooks.ops.thresholds[0]', 'weir.yaml:5:18', /./)],
    [
      hook('https://o.example', '    thresholds: [5, 5]\n'),
      at('webhooks.ops.thresholds[1]', 'weir.yaml:5:21', /already/),
    ],
    [hook('https://o.example', '    thresholds: []\n'), at('webhooks.ops.thresholds', 'weir.yaml:5:5', /empty/)],
  ] as const
  for (const [yaml, expected] of cases) assertProblem(problemsOf(t, { yaml, env }), expected)
  const weak = problemsOf(t, { yaml: hook('https://o.example'), env: { HOOK_SECRET: 'short' } })
  assertProblem(weak, at('webhooks.ops.secret', 'weir.yaml:4:5', /has 5 characters/))
})

test('there are 16 at most, and plain http is worth a word unless it stays on the machine', t => {
  const many = Array.from(
    { length: 17 },
    (_, n) => `  h${n}: { url: "https://o.example", secret: { env: HOOK_SECRET } }`,
  )
  const problems = problemsOf(t, { yaml: `webhooks:\n${many.join('\n')}`, env })
  assertProblem(problems, { where: 'weir.yaml:1:1', key: 'webhooks', problem: /17 webhooks/, fix: /./ })
  assert.match(load(t, { yaml: hook('http://ops.example'), env }).warnings.join(), /webhooks\.ops\.url is plain http/)
  assert.deepEqual(load(t, { yaml: hook('http://127.0.0.1:9'), env }).warnings, [])
})
