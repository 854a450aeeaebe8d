import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKnownField } from '../../src/log/fields.ts'
import { program, root } from '../architecture/source-file.ts'

test('every event of docs/LOGS.md is one that the program logs', () => {
  const page = readFileSync(join(root, 'docs/LOGS.md'), 'utf8')
  const section = /\n## Events\n([\s\S]*?)\n## /.exec(page)?.[1] ?? ''
  const events = Array.from(section.matchAll(/^\| `([^`]+)`/gm), ([, name = '']) => name).filter(name => name !== 'msg')
  assert.ok(events.length > 15)
  const code = program.map(file => file.code).join('\n')
  assert.deepEqual(
    events.filter(name => !code.includes(`'${name}'`)),
    [],
  )
})

test('every field that the program gives to the log by name is one that the log knows', () => {
  const call = /\blog\.(?:trace|debug|info|warn|error|fatal)\(\s*\{([^{}]*)\}/g
  const given = program.flatMap(({ path, code }) =>
    Array.from(code.matchAll(call), ([, inner = '']) => inner).flatMap(inner =>
      Array.from(inner.matchAll(/(?:^|,)\s*(\w+)\s*(?=[:,]|$)/g), ([, name = '']) => ({ path, name })),
    ),
  )
  assert.ok(given.length > 25, `${given.length} fields`)
  assert.deepEqual(
    given.filter(({ name }) => name !== 'err' && !isKnownField(name)),
    [],
  )
})
