import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readYaml } from '../../src/config/yaml-source.ts'
import { assertProblem, load, makeFolder, problemsOf } from './load.ts'

const rows = {
  'a key that is there twice': {
    yaml: 'server:\n  port: 1\nlog: {}\nserver:\n  port: 2\n',
    where: 'weir.yaml:4:1',
    key: 'server',
    problem: /already on line 1/,
    fix: /Keep one/,
  },
  'a key that is there twice further down': {
    yaml: 'server:\n  port: 1\n  port: 2\n',
    where: 'weir.yaml:3:3',
    key: 'server.port',
    problem: /already on line 2/,
    fix: /Keep one/,
  },
  'a tab': {
    yaml: 'server:\n\tport: 1\n',
    where: 'weir.yaml:2:1',
    key: '',
    problem: /tab/,
    fix: /spaces/,
  },
  'two documents': {
    yaml: 'server: {}\n---\nserver: {}\n',
    where: 'weir.yaml:2:1',
    key: '',
    problem: /second document/,
    fix: /one document/,
  },
  'a tag': {
    yaml: 'server:\n  host: !secret abc\n',
    where: 'weir.yaml:2:9',
    key: '',
    problem: /tag/,
    fix: /without a tag/,
  },
  'a list instead of keys': {
    yaml: '\n- server\n',
    where: 'weir.yaml:1:1',
    key: '',
    problem: /not a list of keys/,
    fix: /server:/,
  },
  'a key that is no text': {
    yaml: 'server:\n  ? [a, b]\n  : 1\n',
    where: 'weir.yaml:2:5',
    key: 'server',
    problem: /no text/,
    fix: /name: value/,
  },
} as const

for (const [name, { yaml, ...expected }] of Object.entries(rows)) {
  test(name, t => assertProblem(problemsOf(t, { yaml }), expected))
}

test('an open quote, an unknown alias, a wrong indentation: each with its line', t => {
  for (const [yaml, line, words] of [
    ['server:\n  host: "a\n', 2, /quote|YAML/],
    ['server:\n  host: *nowhere\n', 2, /alias/],
    ['server:\n  host: a\n port: 1\n', 3, /indent|YAML/],
    ['server: { host: a\n', 1, /bracket|YAML/],
    ['server: host: a\n', 1, /YAML|indent/],
  ] as const) {
    const [first] = problemsOf(t, { yaml })
    assert.ok(first?.line !== null && first?.line !== undefined && first.line >= line, `${yaml}: line ${first?.line}`)
    assert.match(first.problem, words)
    assert.ok(first.fix.length > 0)
  }
})

test('a broken file is one cause: nothing else in it is complained about', t => {
  const problems = problemsOf(t, { yaml: 'server:\n\tprot: 1\n', env: { PORT: 'x' } })
  assert.deepEqual(
    problems.map(({ where }) => where),
    ['environment PORT', 'weir.yaml:2:1'],
  )
})

test('an alias stands for its anchor, and a mistake in it is named where it is written', t => {
  const yaml = 'backends:\n  a: &a { url: "http://a", discover: true, timeouts: { idle: 5s } }\n  b: *a\n'
  const { config } = load(t, { yaml })
  assert.equal(config.backends['b']?.timeouts.idleMs, 5000)
  const problems = problemsOf(t, { yaml: 'backends:\n  a: &a { url: x }\n  b: *a\n' })
  assert.deepEqual(
    problems.map(({ where, key }) => `${where} ${key}`),
    ['weir.yaml:2:16 backends.a.url', 'weir.yaml:2:16 backends.b.url'],
  )
})

test('aliases that would stand for a billion values are refused, at once', t => {
  const levels = Array.from({ length: 12 }, (_, level) => {
    const items = level === 0 ? 'lol' : Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')
    return `x${level}: &a${level} [${items}]`
  })
  const started = performance.now()
  const problems = problemsOf(t, { yaml: levels.join('\n') })
  assert.ok(performance.now() - started < 20_000)
  assertProblem(problems, {
    where: problems[0]?.where ?? '',
    key: problems[0]?.key ?? '',
    problem: /too many values/,
    fix: /aliases/,
  })
  assert.ok(problems[0]?.line)
})

test('an alias inside its own anchor, and nesting without end, are refused', t => {
  for (const yaml of [
    'server: &a { host: *a }',
    `server: ${'['.repeat(100)}${']'.repeat(100)}`,
    '['.repeat(100_000),
    '{a: '.repeat(20_000),
    `${Array.from({ length: 2000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')} 1`,
  ]) {
    assert.ok(problemsOf(t, { yaml }).length > 0)
  }
})

test('many keys take time in proportion', t => {
  const yaml = `models:\n${Array.from({ length: 10_000 }, (_, index) => `  m${index}: {}`).join('\n')}\n`
  const started = performance.now()
  assert.equal(problemsOf(t, { yaml }).length, 10_000)
  assert.ok(performance.now() - started < 20_000)
})

test('a file that is too large, not UTF-8, or a folder', t => {
  const folder = makeFolder(t)
  const path = join(folder, 'weir.yaml')
  writeFileSync(path, `# ${'x'.repeat(1024 * 1024)}`)
  assert.match(readYaml(path, 'weir.yaml').problems[0]?.problem ?? '', /larger than 1 MiB/)
  writeFileSync(path, Buffer.from([0x61, 0x3a, 0xff]))
  assert.match(readYaml(path, 'weir.yaml').problems[0]?.problem ?? '', /not UTF-8/)
  assert.match(readYaml(folder, 'x').problems[0]?.problem ?? '', /EISDIR/)
})

test('an older YAML is refused, and the words yes and no are text', t => {
  const problems = problemsOf(t, { yaml: '%YAML 1.1\n---\nserver: { urlImages: yes }\n' })
  assert.match(problems[0]?.problem ?? '', /older YAML/)
})
