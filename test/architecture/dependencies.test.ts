import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { manifest } from './lockfile.ts'
import { dashboards, program, root, type SourceFile, scripts, tests } from './source-file.ts'

const platformNode = /^node-(bin-)?(linux|darwin|win)-/

/** `@scope/name/deep/path` → `@scope/name`. */
const packageOf = (from: string) =>
  from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/')

function packagesOf(files: readonly SourceFile[]): ReadonlySet<string> {
  const all = files.flatMap(({ imports }) => imports.flatMap(({ from, file }) => (file === null ? [from] : [])))
  return new Set(all.filter(from => !isBuiltin(from)).map(packageOf))
}

const production = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)]

test('every package that the program is installed with is imported by it', () => {
  const used = packagesOf(program)
  // One that may be absent is imported by a name in a variable.
  const isNamed = (name: string) => program.some(({ code }) => code.includes(`'${name}'`))
  deepStrictEqual(
    production.filter(name => !used.has(name) && !platformNode.test(name) && !isNamed(name)),
    [],
  )
})

test('the program imports nothing that it is not installed with', () => {
  deepStrictEqual(
    [...packagesOf(program)].filter(name => !production.includes(name)),
    [],
  )
})

test('tests and scripts import nothing that is not declared', () => {
  const declared = new Set([...production, ...Object.keys(manifest.devDependencies)])
  deepStrictEqual(
    [...packagesOf([...tests, ...scripts])].filter(name => !declared.has(name)),
    [],
  )
})

test('scripts use nothing but Node: they run before anything is installed', () => {
  deepStrictEqual([...packagesOf([...scripts, ...dashboards])], [])
})

test('docs/ARCHITECTURE.md has one line for every dependency, and none for what is gone', () => {
  const text = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8')
  const section = /\n## Dependencies\n([\s\S]*?)(\n## |$)/.exec(text)?.[1] ?? ''
  const lines = section.split('\n').filter(line => line.startsWith('- `'))
  const named = lines.flatMap(line =>
    [...(line.split(': ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  )
  deepStrictEqual(new Set(named), new Set([...production, ...Object.keys(manifest.devDependencies)]))
  strictEqual(named.length, new Set(named).size, 'each has one line')
})
