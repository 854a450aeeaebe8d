/** Up to where the ledger's records are stored elsewhere, kept beside its segments. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { replaceDurably } from './durable-file.ts'
import type { LedgerPosition } from './segment-folder.ts'

const cursorText = /^(\d{1,15}) (\d{1,15}) ([0-9a-f]{8})\n$/

const cursorPath = (folder: string) => join(folder, 'cursor')
const checksumOf = (numbers: string) => crc32(numbers).toString(16).padStart(8, '0')

export async function writeCursor(folder: string, { segment, offset }: LedgerPosition): Promise<void> {
  const numbers = `${segment} ${offset}`
  await replaceDurably(cursorPath(folder), file => file.writeFile(`${numbers} ${checksumOf(numbers)}\n`))
}

/** Null where nothing has been stored yet; `damaged` where something has, and nobody knows how much. */
export async function readCursor(folder: string): Promise<LedgerPosition | 'damaged' | null> {
  const text = await readFile(cursorPath(folder), 'utf8').catch(error => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  const [, segment, offset, checksum] = cursorText.exec(text) ?? []
  if (checksum !== checksumOf(`${segment} ${offset}`)) return 'damaged'
  return { segment: Number(segment), offset: Number(offset) }
}
