import { accessSync, chmodSync, constants, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MEMORY = '/dev/shm'
/** What all tests together have on their disks stays well below. */
const MIN_FREE_BYTES = 4 * 2 ** 30

/**
 * Where the files of tests are: in memory where the machine has that and room in it, else where temporary files are. Some
 * disks take half a millisecond to make a file, and a database is 300 of them. Tests end processes and not machines, and
 * what a killed process has written is kept in memory as well as on a disk.
 */
export function makeScratchFolder(): string {
  const folder = mkdtempSync(join(hasRoom(MEMORY) ? MEMORY : tmpdir(), 'weir-tests-'))
  // PostgreSQL, which is not for root, goes through it as somebody else.
  chmodSync(folder, 0o711)
  return folder
}

export function removeScratchFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
}

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize >= MIN_FREE_BYTES
  } catch {
    return false
  }
}
