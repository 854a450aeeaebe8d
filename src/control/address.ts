/**
 * Where the control socket is: `control.sock` in the data directory. The operating system allows about a hundred bytes
 * for the path of a socket; where the data directory is deeper than that, and on Windows, the socket is elsewhere and
 * `control.path` in the data directory says where. Only the owner can read or write there.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'

/** 104 on macOS and 108 on Linux, with the zero at the end. */
const maxPathBytes = 100
const folderPrefix = 'weir-control-'

export interface ControlAddress {
  readonly path: string
  /** Takes away what was made for it, but for the socket itself. */
  remove(): void
}

const pointerFile = (dataDir: string) => join(dataDir, 'control.path')

function readPointer(dataDir: string): string | null {
  try {
    return readFileSync(pointerFile(dataDir), 'utf8').trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** The socket's place in the data directory, or null where it cannot be there. */
function directPath(dataDir: string): string | null {
  const path = join(resolve(dataDir), 'control.sock')
  return process.platform === 'win32' || Buffer.byteLength(path) > maxPathBytes ? null : path
}

/** Where a server of this data directory would listen; null when it is certain that none does. */
export function findControlPath(dataDir: string): string | null {
  return readPointer(dataDir) ?? directPath(dataDir)
}

/** Removes what a server that was killed has left of an address elsewhere. */
export function removeStaleAddress(dataDir: string): void {
  const path = readPointer(dataDir)
  if (path === null) return
  const folder = dirname(path)
  if (basename(folder).startsWith(folderPrefix)) rmSync(folder, { recursive: true, force: true })
  rmSync(pointerFile(dataDir), { force: true })
}

/** Decides where to listen, for a data directory that exists and has no server. */
export function makeControlAddress(dataDir: string): ControlAddress {
  const direct = directPath(dataDir)
  if (direct !== null) return { path: direct, remove: () => {} }
  const path = process.platform === 'win32' ? pipeName() : join(makeShortFolder(), 'control.sock')
  writeFileSync(pointerFile(dataDir), path, { mode: 0o600 })
  return { path, remove: () => removeStaleAddress(dataDir) }
}

/** Nobody can guess it, which is what keeps others out where a pipe has no mode. */
function pipeName(): string {
  return `\\\\.\\pipe\\weir-${randomBytes(16).toString('hex')}`
}

function makeShortFolder(): string {
  const room = maxPathBytes - folderPrefix.length - '/XXXXXX/control.sock'.length
  return mkdtempSync(join(Buffer.byteLength(tmpdir()) <= room ? tmpdir() : '/tmp', folderPrefix))
}
