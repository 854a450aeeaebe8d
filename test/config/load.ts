import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ConfigError, type Problem } from '../../src/config/problem.ts'
import { type LoadedConfig, loadConfig } from '../../src/config.ts'

export interface Given {
  /** The text of weir.yaml; no file when absent. */
  readonly yaml?: string
  /** Other files, by path. */
  readonly files?: Readonly<Record<string, string>>
  readonly argv?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** A folder of its own, which goes when the test ends. */
export function makeFolder(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-config-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** Loads from a folder of its own, and only the environment that is given. */
export function load(t: TestContext, given: Given = {}): LoadedConfig & { folder: string } {
  const folder = makeFolder(t, { ...(given.yaml === undefined ? {} : { 'weir.yaml': given.yaml }), ...given.files })
  return { ...loadConfig({ argv: given.argv ?? [], env: given.env ?? {}, cwd: folder }), folder }
}

/** What is wrong; fails when nothing is. */
export function problemsOf(t: TestContext, given: Given): readonly Problem[] {
  try {
    load(t, given)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.problems
  }
  return assert.fail('the configuration was accepted')
}

export interface Expected {
  readonly where: string
  readonly key: string
  readonly problem: RegExp
  readonly fix: RegExp
}

/** Fails unless there is exactly one problem, and this. */
export function assertProblem(problems: readonly Problem[], expected: Expected): void {
  assert.equal(problems.length, 1, JSON.stringify(problems, null, 2))
  const [found] = problems
  assert.ok(found)
  assert.equal(found.where, expected.where)
  assert.equal(found.key, expected.key)
  assert.match(found.problem, expected.problem)
  assert.match(found.fix, expected.fix)
  const place = found.file === null ? found.where : `${found.file}:${found.line}:${found.column}`
  assert.equal(place, found.where)
}

/** A test for each row: a weir.yaml with one mistake, and the exact place, key and words that name it. */
export function testProblems(rows: Readonly<Record<string, Expected & { readonly yaml: string }>>): void {
  for (const [name, { yaml, ...expected }] of Object.entries(rows)) {
    test(name, t => assertProblem(problemsOf(t, { yaml }), expected))
  }
}

/** A weir.yaml with the backends `a` and `b`, and `text` from its third line on. */
export const models = (text: string) => `backends: { a: { url: "http://a" }, b: { url: "http://b" } }\nmodels:\n${text}`
