import { deepStrictEqual, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { dashboards, program, root, type SourceFile, scripts, tests } from './source-file.ts'
import type { Export } from './source-text.ts'

const byPath = new Map([...program, ...scripts, ...dashboards].map(file => [file.path, file]))

/** What npm runs and what the command starts; workers and children are found from those who start them. */
function entries(): string[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  const named = Object.values(manifest.scripts).flatMap(line => line.match(/[\w./-]+\.(ts|js)\b/g) ?? [])
  return ['src/server.ts', 'src/cli.ts', ...named, ...scripts.map(({ path }) => path)].filter(path => byPath.has(path))
}

function reachable(): ReadonlySet<string> {
  const seen = new Set<string>()
  const open = entries()
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue
    seen.add(path)
    for (const { file } of byPath.get(path)?.imports ?? []) if (file !== null && byPath.has(file)) open.push(file)
  }
  return seen
}

function importersOf(path: string, name: string, files: readonly SourceFile[]): readonly SourceFile[] {
  const takes = ({ imports }: SourceFile) =>
    imports.some(({ file, names }) => file === path && (names.includes(name) || names.includes('*')))
  return files.filter(takes)
}

/**
 * Used by another file of the program, or at home as well as in a test. A type may also just be part of what its own file
 * exports.
 */
function isUsed(file: SourceFile, { name, isType }: Export): boolean {
  if (importersOf(file.path, name, [...program, ...scripts, ...dashboards]).length > 0) return true
  const isUsedAtHome =
    (file.code.match(new RegExp(`(?<![\\w$])${RegExp.escape(name)}(?![\\w$])`, 'g')) ?? []).length > 1
  return isUsedAtHome && (isType || importersOf(file.path, name, tests).length > 0)
}

test('every file is reached from an entry point', () => {
  const reached = reachable()
  ok(reached.size > 50, 'imports are found')
  deepStrictEqual(
    [...program, ...dashboards].map(({ path }) => path).filter(path => !reached.has(path)),
    [],
  )
})

test('every export is used by the program', () => {
  const unused = [...program, ...dashboards].flatMap(file =>
    file.exports.filter(exported => !isUsed(file, exported)).map(({ name }) => `${file.path}: ${name}`),
  )
  deepStrictEqual(unused, [])
})
