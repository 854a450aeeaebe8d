/** What the ledger asks of the disk for writing, apart so that a test can let a disk be full or broken. */
import { close, fdatasync, fstat, ftruncate, open, read, write, writeSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { promisify } from 'node:util'
import { identityAt, identityOf } from './file-identity.ts'

export interface LedgerFile {
  /**
   * Bytes from a place on; as write(2) does it may write fewer than given, and says how many. In a thread of libuv, or before
   * it returns.
   */
  write(bytes: Buffer, position: number, isInThread: boolean): Promise<number> | number
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  /** What has been written to it, also where its name is gone. */
  read(bytes: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
  /** Whether it is this file that stands under the name: it may have been removed, renamed or replaced. */
  isAt(path: string): Promise<boolean>
  close(): Promise<void>
}

export interface LedgerDisk {
  /** A file that was not there, for this user alone. */
  create(path: string): Promise<LedgerFile>
  /** The names in a folder, not what is in its files. */
  syncFolder(path: string): Promise<void>
  /** What this user may still write there. */
  freeBytes(folder: string): Promise<number>
}

const openFd = promisify(open)
const closeFd = promisify(close)
const syncFd = promisify(fdatasync)
const truncateFd = promisify(ftruncate)
const readFd = promisify(read)
const statFd = promisify(fstat)

export const nodeDisk: LedgerDisk = {
  create: async path => fileOf(await openFd(path, 'wx+', 0o600)),
  syncFolder: async path => {
    // Windows opens no folders; its file systems keep names by a journal.
    if (process.platform === 'win32') return
    const fd = await openFd(path, 'r')
    try {
      await syncFd(fd)
    } finally {
      await closeFd(fd)
    }
  },
  freeBytes: async folder => {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  },
}

function writeInThread(fd: number, bytes: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, position, (error, written) => (error ? reject(error) : resolve(written)))
  })
}

function fileOf(fd: number): LedgerFile {
  return {
    write: (bytes, position, isInThread) =>
      isInThread ? writeInThread(fd, bytes, position) : writeSync(fd, bytes, 0, bytes.length, position),
    // Enough: it also writes a changed length.
    sync: () => syncFd(fd),
    truncate: length => truncateFd(fd, length),
    read: (bytes, offset, length, position) => readFd(fd, bytes, offset, length, position),
    isAt: async path => (await identityAt(path)) === identityOf(await statFd(fd, { bigint: true })),
    close: () => closeFd(fd),
  }
}

const noRoomCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** The disk is sound but takes no more, of this user or in this file. */
export function isNoRoom(error: unknown): boolean {
  return error instanceof Error && 'code' in error && noRoomCodes.has(String(error.code))
}

/** The disk does not give these bytes, now or later; other errors may pass. */
export function isUnreadable(error: unknown): error is Error & { code: 'EIO' | 'ENOENT' } {
  return error instanceof Error && 'code' in error && (error.code === 'EIO' || error.code === 'ENOENT')
}
