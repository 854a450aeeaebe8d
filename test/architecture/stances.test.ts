import { deepStrictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { program, type SourceFile, scripts, tests } from './source-file.ts'

/** This file names what it looks for. */
const suites = tests.filter(({ path }) => path !== 'test/architecture/stances.test.ts')
const own = [...program, ...scripts]

/** `file:line` of every match. */
function matches(files: readonly SourceFile[], pick: (file: SourceFile) => string, pattern: RegExp): string[] {
  return files.flatMap(file =>
    pick(file)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1} ${line.trim()}`] : [])),
  )
}

test('nothing escapes the types', () => {
  const escapes = /(: any\b|\bas any\b|<any\b|\bany\[\]|\bas unknown as\b|\bas never\b)/
  const withoutStrings = ({ text }: SourceFile) => text.replace(/'[^'\n]*'|\/\/.*|^\s*\*.*/gm, '')
  deepStrictEqual(matches(own, withoutStrings, escapes), [])
})

test('nothing silences the checks', () => {
  const silencers = /biome-ignore|@ts-(ignore|expect-error|nocheck)|eslint-disable/
  deepStrictEqual(
    matches([...own, ...suites], ({ text }) => text, silencers),
    [],
  )
})

test('no test is skipped or alone', () => {
  const apart = /\b(test|it|describe|suite)\.(only|skip|todo)\(|\bt\.(skip|todo)\(|\b(skip|only|todo): /
  deepStrictEqual(
    matches(suites, ({ code }) => code, apart),
    [],
  )
})
