import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LedgerDisk } from './ledger-disk.ts'

const probeBytes = 64 * 1024

/** Whether something can be written in this folder, found out by writing something. */
export async function canWrite(disk: LedgerDisk, folder: string): Promise<boolean> {
  const path = join(folder, 'probe')
  try {
    await rm(path, { force: true })
    const file = await disk.create(path)
    try {
      return (await file.write(Buffer.alloc(probeBytes), 0, true)) === probeBytes
    } finally {
      await file.close()
      await rm(path, { force: true })
    }
  } catch {
    return false
  }
}
