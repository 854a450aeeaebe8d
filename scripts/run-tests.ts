/**
 * Runs test files with node's own runner, a few of them in each process: the program and its libraries are 1,600 modules,
 * and to load them takes a process longer than most files take. Half of that is compiling, of which they share what comes out.
 * Whatever node says of tests, names and places stays as it is.
 *
 * `node scripts/run-tests.ts --together=N [flags of node --test] PATTERN...`. A file named `*-alone.test.ts` has a process of
 * its own.
 */
import { spawn } from 'node:child_process'
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const together = Number(/^--together=(\d+)$/.exec(process.argv[2] ?? '')?.[1])
if (!(together >= 1)) throw new Error('the first argument is --together=N: how many files share a process, 1 or more')
const flags = process.argv.slice(3).filter(argument => argument.startsWith('-'))
const patterns = process.argv.slice(3).filter(argument => !argument.startsWith('-'))

const files = globSync(patterns, { cwd: root }).sort()
if (files.length === 0) throw new Error(`no test file is named ${patterns.join(' ')}`)
// Not in node_modules, where the runner does not look.
const folder = mkdtempSync(join(tmpdir(), 'weir-tests-'))
const alone = files.filter(file => file.endsWith('-alone.test.ts'))
const groups = groupFiles(files.filter(file => !alone.includes(file)))
const runner = spawn(process.execPath, ['--test', ...flags, ...groups, ...alone], {
  cwd: root,
  env: { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compile'), ...process.env },
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => runner.kill(signal))
runner.on('exit', (code, signal) => {
  rmSync(folder, { recursive: true, force: true })
  if (signal !== null) console.error(`the tests were ended by ${signal}`)
  process.exitCode = code ?? 1
})

/** Neighbours share a process: they import the same. */
function groupFiles(files: readonly string[]): string[] {
  const count = Math.ceil(files.length / together)
  return Array.from({ length: count }, (_, nth) => {
    const [from, to] = [nth, nth + 1].map(edge => Math.round((edge * files.length) / count))
    const path = join(folder, `${nth + 1}-of-${count}.test.mjs`)
    const imports = files.slice(from, to).map(file => `import '${pathToFileURL(join(root, file))}'\n`)
    writeFileSync(path, imports.join(''))
    return path
  })
}
