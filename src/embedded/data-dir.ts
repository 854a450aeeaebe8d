import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { resolve } from 'node:path'

/**
 * Makes the data directory where it is missing, for its owner alone (mode 0700), and returns its absolute path.
 * A directory that belongs to somebody else, as a mounted volume does, keeps its mode: each file in it has its own.
 */
export function ensureDataDir(dataDir: string): string {
  const path = resolve(dataDir)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const { mode } = statSync(path)
  if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
    try {
      chmodSync(path, 0o700)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) throw error
    }
  }
  return path
}
