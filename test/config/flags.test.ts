import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flags } from '../../src/config/flags.ts'
import { assertProblem, load, problemsOf } from './load.ts'

test('every flag is obeyed', t => {
  const files = { 'other.yaml': '', 'm.gguf': '' }
  const values: Readonly<Record<string, readonly [text: string, key: string]>> = {
    config: ['other.yaml', ''],
    host: ['10.1.1.1', 'server.host'],
    port: ['1', 'server.port'],
    'data-dir': ['/data', 'stores.dataDir'],
    model: ['m.gguf', 'engine.model'],
    backend: ['http://a', 'backends.backend-1.url'],
    'log-level': ['debug', 'log.level'],
    'internal-port': ['2', 'server.internalPort'],
    'internal-host': ['10.1.1.2', 'server.internalHost'],
  }
  assert.deepEqual(new Set(Object.keys(values)), new Set(flags.map(({ name }) => name)))
  for (const [name, [text, key]] of Object.entries(values)) {
    for (const argv of [[`--${name}`, text], [`--${name}=${text}`]]) {
      const { origins, file } = load(t, { argv, files })
      if (name === 'config') assert.match(file ?? '', /other\.yaml$/)
      else assert.equal(origins[key], `flag --${name}`)
    }
  }
})

test('of a repeated flag the last counts', t => {
  assert.equal(load(t, { argv: ['--port', '1', '--port', '2'] }).config.server.port, 2)
})

test('--backend takes several with commas, and may be repeated', t => {
  const { config } = load(t, { argv: ['--backend', 'http://a:1,http://b:2, ', '--backend', 'http://c:3'] })
  assert.deepEqual(
    Object.entries(config.backends).map(([name, { url }]) => [name, url]),
    [
      ['backend-1', 'http://a:1'],
      ['backend-2', 'http://b:2'],
      ['backend-3', 'http://c:3'],
    ],
  )
})

const unknown = { key: '', problem: /no such flag/ }

test('an unknown flag names the nearest', t => {
  const where = 'flag --intenal-port'
  assertProblem(problemsOf(t, { argv: ['--intenal-port', '1'] }), {
    ...unknown,
    where,
    fix: /^Did you mean --internal-port\?$/,
  })
  assertProblem(problemsOf(t, { argv: ['-p', '1'] }), { ...unknown, where: 'flag -p', fix: /^Known flags: --config, / })
})

test('a secret has no flag, and what follows is not repeated', t => {
  const problems = problemsOf(t, { argv: ['--redis-url', 'redis://:hunter2@h'] })
  assertProblem(problems, { ...unknown, where: 'flag --redis-url', fix: /environment/ })
  assert.doesNotMatch(JSON.stringify(problems), /hunter2/)
})

test('a flag without value', t => {
  for (const argv of [['--host'], ['--host='], ['--host', ''], ['--host', '--port=1']]) {
    const expected = { where: 'flag --host', key: 'server.host', problem: /no value/, fix: /--host ADDRESS/ }
    assertProblem(problemsOf(t, { argv }), expected)
  }
})

test('a stray argument is an error that does not repeat it', t => {
  const problems = problemsOf(t, { argv: ['--port', '1', 'hunter2'] })
  assertProblem(problems, { where: 'flag argument 3', key: '', problem: /no flag/, fix: /Known flags/ })
  assert.doesNotMatch(JSON.stringify(problems), /hunter2/)
})

test('a wrong value is named by its flag and its key', t => {
  const expected = { where: 'flag --port', key: 'server.port', problem: /-1|not a whole number/, fix: /0 to 65535/ }
  assertProblem(problemsOf(t, { argv: ['--port=-1'] }), expected)
  assertProblem(problemsOf(t, { argv: ['--port', '99999'] }), { ...expected, problem: /99999 is not from/ })
})
