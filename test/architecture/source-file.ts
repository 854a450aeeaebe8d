/** The repository's own code: every file with what it imports and exports. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Export, type Import, readExports, readImports, withoutComments } from './source-text.ts'

export const root = dirname(dirname(import.meta.dirname))

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string
  readonly text: string
  /** The text without its comments. */
  readonly code: string
  readonly imports: readonly Import[]
  readonly exports: readonly Export[]
}

/** What is run in production. */
export const program = readFiles('{src,plugins,routes}/**/*.ts')
export const scripts = readFiles('scripts/*.{ts,js}')
/** The dashboards: they are run by a script alone. */
export const dashboards = readFiles('monitoring/**/*.ts')
export const tests = readFiles('test/**/*.ts')

export function readFiles(pattern: string): readonly SourceFile[] {
  return globSync(pattern, { cwd: root })
    .map(path => path.replaceAll('\\', '/'))
    .sort()
    .map(readSource)
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8')
  const code = withoutComments(text)
  return { path, text, code, imports: readImports(path, code), exports: readExports(code) }
}

/** Paths that are imported and do not exist: the patterns above would otherwise go wrong without a word. */
export const missingFiles = [...program, ...scripts, ...dashboards, ...tests].flatMap(({ path, imports }) =>
  imports.flatMap(({ file }) => (file === null || existsSync(join(root, file)) ? [] : [`${path} → ${file}`])),
)
