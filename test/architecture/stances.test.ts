import { deepStrictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { program, type SourceFile, scripts, tests } from './source-file.ts'

/** This file names what it looks for. */
const others = [...program, ...scripts, ...tests].filter(({ path }) => path !== 'test/architecture/stances.test.ts')

/** `file:line` of every match. */
function matches(files: readonly SourceFile[], pick: (file: SourceFile) => string, pattern: RegExp): string[] {
  return files.flatMap(file =>
    pick(file)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1} ${line.trim()}`] : [])),
  )
}

test('nothing escapes the types', () => {
  const escape = /(: any\b|\bas any\b|<any\b|\bany\[\]|\bas unknown as\b|\bas never\b)/
  const withoutStrings = ({ text }: SourceFile) => text.replace(/'[^'\n]*'|\/\/.*|^\s*\*.*/gm, '')
  deepStrictEqual(matches(others, withoutStrings, escape), [])
})

test('nothing silences the checks', () => {
  deepStrictEqual(matches(others, ({ text }) => text, /biome-ignore|@ts-(ignore|expect-error|nocheck)|eslint-disable/), [])
})

test('no test is skipped or alone', () => {
  const apart = /\b(test|it|describe|suite)\.(only|skip|todo)\(|\bt\.(skip|todo)\(|\b(skip|only|todo): /
  const suites = tests.filter(({ path }) => path !== 'test/architecture/stances.test.ts')
  deepStrictEqual(matches(suites, ({ code }) => code, apart), [])
})
