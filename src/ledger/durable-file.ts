/** Files that are there, whole, once the call has returned, whatever becomes of the power. */
import { type FileHandle, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { nodeDisk } from './ledger-disk.ts'

/** Puts a file in the place of another: there is always one of both. */
export async function replaceDurably(path: string, write: (file: FileHandle) => Promise<unknown>): Promise<void> {
  const unfinished = `${path}.unfinished`
  await withSynced(unfinished, 'w', write)
  await rename(unfinished, path)
  await nodeDisk.syncFolder(dirname(path))
}

export async function appendDurably(path: string, text: string): Promise<void> {
  await withSynced(path, 'a', file => file.appendFile(text))
  await nodeDisk.syncFolder(dirname(path))
}

async function withSynced(path: string, flags: string, write: (file: FileHandle) => Promise<unknown>): Promise<void> {
  const file = await open(path, flags, 0o600)
  try {
    await write(file)
    await file.sync()
  } finally {
    await file.close()
  }
}
