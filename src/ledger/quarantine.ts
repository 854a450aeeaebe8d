/**
 * Where that goes which cannot be used and must not be thrown away: `quarantine/` in the ledger's folder. Damaged ends of
 * segments as they are, one file each; rows that no store takes, and why anything is here, as lines of JSON.
 */
import { mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { appendDurably, replaceDurably } from './durable-file.ts'
import { type LedgerPosition, segmentPath } from './segment-folder.ts'

const copyBytes = 256 * 1024
const folderOf = (folder: string) => join(folder, 'quarantine')

/** What one line of `quarantine/rows.jsonl` says of a row: why, and the row itself. */
export interface QuarantinedRow {
  readonly reason: string
  readonly row: unknown
}

/** Not the ledger's own folder: who writes to that has to hold it first. */
async function makeFolder(folder: string): Promise<void> {
  await mkdir(folderOf(folder), { mode: 0o700 }).catch(error => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** Once it has resolved they are on the disk. */
export async function quarantineRows(folder: string, rows: readonly QuarantinedRow[], nowMs: number): Promise<void> {
  await makeFolder(folder)
  const lines = rows.map(({ reason, row }) => `${JSON.stringify({ atMs: nowMs, reason, row })}\n`)
  await appendDurably(join(folderOf(folder), 'rows.jsonl'), lines.join(''))
}

/** Copies a segment's bytes from a place on, up to `end`. Gives the name of the copy; the same damage has the same name. */
export async function quarantineTail(
  folder: string,
  { segment, offset }: LedgerPosition,
  end: number,
  reason: string,
): Promise<string> {
  await makeFolder(folder)
  const name = `segment-${segment}-from-${offset}.bin`
  const source = await open(segmentPath(folder, segment), 'r')
  try {
    await replaceDurably(join(folderOf(folder), name), async copy => {
      const bytes = Buffer.allocUnsafe(copyBytes)
      for (let at = offset; at < end; ) {
        const { bytesRead } = await source.read(bytes, 0, Math.min(copyBytes, end - at), at)
        if (bytesRead === 0) return
        await copy.writeFile(bytes.subarray(0, bytesRead))
        at += bytesRead
      }
    })
  } finally {
    await source.close()
  }
  const line = { reason, segment, offset, bytes: end - offset, file: name }
  await appendDurably(join(folderOf(folder), 'tails.jsonl'), `${JSON.stringify(line)}\n`)
  return name
}

/** The names of the files in quarantine. */
export async function listQuarantine(folder: string): Promise<readonly string[]> {
  const names = await readdir(folderOf(folder)).catch(() => [])
  return names.filter(name => !name.endsWith('.unfinished')).sort()
}
