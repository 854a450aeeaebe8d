import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, problemsOf, testProblems } from './load.ts'

test('a backend URL that lacks its scheme or has too much is mended', t => {
  const rows: readonly (readonly [string, RegExp, string])[] = [
    ['127.0.0.1:8080', /^http:\/\/ is missing/, 'Write http://127.0.0.1:8080.'],
    ['localhost:8080/v1', /^http:\/\/ is missing/, 'Write http://localhost:8080.'],
    ['gpu:8080', /^http:\/\/ is missing/, 'Write http://gpu:8080.'],
    ['[::1]:8080/llm/v1/?x=1', /^http:\/\/ is missing/, 'Write http://[::1]:8080/llm.'],
    ['http://gpu:8080/v1?key=S3CR3T', /has a query/, 'Leave out the query: write http://gpu:8080.'],
    ['https://gpu.example/#top', /has a fragment/, 'Leave it out: write https://gpu.example.'],
    ['HTTP://gpu:8080/v1', /no URL/, 'Write http://gpu:8080.'],
    ['ws://gpu:8080', /neither http:\/\/ nor https/, 'Write one such as http://127.0.0.1:8080.'],
    ['S3CR3T', /http:\/\/ is missing/, 'Write one such as http://127.0.0.1:8080.'],
    ['user:S3CR3T@gpu:8080', /http:\/\/ is missing/, 'Write one such as http://127.0.0.1:8080.'],
    ['http://user:S3CR3T@gpu:8080/?x', /no URL/, 'Write one such as http://127.0.0.1:8080.'],
    ['http://', /no URL/, 'Write one such as http://127.0.0.1:8080.'],
  ]
  for (const [text, problem, fix] of rows) {
    const problems = problemsOf(t, { env: { WEIR_BACKEND_URL: text } })
    const where = 'environment WEIR_BACKEND_URL'
    assertProblem(problems, { where, key: 'backends.backend-1.url', problem, fix: /./ })
    assert.equal(problems[0]?.fix, fix)
    assert.doesNotMatch(JSON.stringify(problems), /S3CR3T/)
  }
})

testProblems({
  'a minimum drain longer than the grace leaves': {
    yaml: 'server: { grace: 30s, minDrain: 21s }',
    where: 'weir.yaml:1:33',
    key: 'server.minDrain',
    problem: /longer than what server\.grace leaves before its error events/,
    fix: /20000ms or less/,
  },
  'a backend URL that ends in /v1': {
    yaml: 'backends:\n  a: { url: "http://a:8080/v1/", discover: true }\n',
    where: 'weir.yaml:2:13',
    key: 'backends.a.url',
    problem: /ends in \/v1/,
    fix: /^Write http:\/\/a:8080\.$/,
  },
  'a backend URL that is none': {
    yaml: 'backends:\n  a: { url: "http://a:99999", discover: true }\n',
    where: 'weir.yaml:2:13',
    key: 'backends.a.url',
    problem: /no URL/,
    fix: /http/,
  },
  'a CIDR that is none': {
    yaml: 'server:\n  trustedProxies: [10.0.0.0/8, proxy.local/8]\n',
    where: 'weir.yaml:2:32',
    key: 'server.trustedProxies[1]',
    problem: /no CIDR/,
    fix: /10\.0\.0\.0\/8/,
  },
  'a CIDR without length': {
    yaml: 'server:\n  trustedProxies: [10.0.0.1]\n',
    where: 'weir.yaml:2:20',
    key: 'server.trustedProxies[0]',
    problem: /no length/,
    fix: /10\.0\.0\.1\/32/,
  },
  'a CIDR that is too long': {
    yaml: 'server:\n  trustedProxies: ["fd00::/129"]\n',
    where: 'weir.yaml:2:20',
    key: 'server.trustedProxies[0]',
    problem: /not from 0 to 128/,
    fix: /fd00::\/128/,
  },
  'an origin with a path': {
    yaml: 'server:\n  corsOrigins: [https://a.example/]\n',
    where: 'weir.yaml:2:17',
    key: 'server.corsOrigins[0]',
    problem: /no origin/,
    fix: /without a path/,
  },
  'a host with a port': {
    yaml: 'server: { host: "0.0.0.0:80" }',
    where: 'weir.yaml:1:17',
    key: 'server.host',
    problem: /neither/,
    fix: /without port/,
  },
  'both listeners on one port': {
    yaml: 'server:\n  port: 80\n  internalPort: 80\n',
    where: 'weir.yaml:3:17',
    key: 'server.internalPort',
    problem: /same as server\.port/,
    fix: /a port of its own/,
  },
  'the probes on the port of another listener': {
    yaml: 'server:\n  internalPort: 81\n  probePort: 81\n',
    where: 'weir.yaml:3:14',
    key: 'server.probePort',
    problem: /same as server\.internalPort/,
    fix: /a port of its own/,
  },
  'a model file that is not there': {
    yaml: 'engine: { model: gone.gguf }',
    where: 'weir.yaml:1:18',
    key: 'engine.model',
    problem: /no such file/,
    fix: /GGUF/,
  },
})
