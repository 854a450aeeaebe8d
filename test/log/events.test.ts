import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
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
