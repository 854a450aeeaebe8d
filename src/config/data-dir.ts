import { accessSync, chmodSync, constants, mkdirSync, statSync } from 'node:fs'
import { dirname, parse, resolve } from 'node:path'
import { byDefault, originOf } from './place.ts'
import { ConfigError, type Problem, problemAt } from './problem.ts'

/** Bits of a mode that let anybody but the owner in, and the one that marks a folder as everybody's, such as /tmp. */
const othersMode = 0o077
const stickyMode = 0o1000

/**
 * Makes the folder with mode 0700, or takes that mode away from group and others where it is there and ours. Throws a
 * ConfigError about `stores.dataDir` when it cannot be used. `origin` is where its name came from, in the words of
 * `LoadedConfig.origins`.
 */
export function ensureDataDir(path: string, origin = originOf(byDefault)): void {
  const unusable = (problem: string) => new ConfigError([problemOf(problem, origin)])
  try {
    makeFolder(path)
    const stats = statSync(path)
    if (!stats.isDirectory()) throw unusable(`${path} is not a folder.`)
    if (isShared(path, stats.mode)) throw unusable(`${path} is a folder for everybody.`)
    // A volume in Kubernetes belongs to root and lets Weir in by its group: that is not ours to change.
    if (stats.uid === process.getuid?.() && (stats.mode & othersMode) !== 0) chmodSync(path, 0o700)
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw error instanceof ConfigError ? error : unusable(reasonOf(path, error))
  }
}

/** mkdir's own `recursive` never ends where a file system answers ENOENT to every new name, as /proc does. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    makeFolder(dirname(path))
    mkdirSync(path, { mode: 0o700 })
  }
}

function isShared(path: string, mode: number): boolean {
  const absolute = resolve(path)
  return (mode & stickyMode) !== 0 || absolute === parse(absolute).root
}

function reasonOf(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `${path} is not writable for the user that Weir runs as.`
    case 'EROFS':
      return `${path} is on a read-only file system.`
    case 'EEXIST':
    case 'ENOTDIR':
      return `${path} is not a folder.`
    case 'ENOSPC':
      return `There is no space left for ${path}.`
    default:
      return `${path} cannot be used (${code}).`
  }
}

function problemOf(problem: string, origin: string): Problem {
  const fix = `Name a folder of its own that Weir may write to, ${remedyFor(origin)}.`
  return { ...problemAt(byDefault, ['stores', 'dataDir'], { problem, fix }), where: origin }
}

/** How to change the value where it was given; what stands before it would win over anything else. */
function remedyFor(origin: string): string {
  if (origin.startsWith('flag ')) return 'by --data-dir'
  if (origin.startsWith('environment ')) return 'by WEIR_DATA_DIR or --data-dir'
  if (origin === originOf(byDefault)) return 'by --data-dir or WEIR_DATA_DIR'
  return 'by stores.dataDir there, or by --data-dir or WEIR_DATA_DIR'
}
