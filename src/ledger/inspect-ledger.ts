/** What is in a ledger's folder, without a lock and without changing anything: also beside the process that appends to it. */
import { stat } from 'node:fs/promises'
import { readCursor } from './cursor.ts'
import { isUnreadable } from './ledger-disk.ts'
import { insistOnLedger } from './ledger-folder.ts'
import { parseRecord } from './ledger-record.ts'
import { listQuarantine } from './quarantine.ts'
import { expectedRow } from './replay.ts'
import {
  isBehind,
  type LedgerPosition,
  listSegments,
  missingSegments,
  readSegment,
  segmentPath,
  tornRecord,
} from './segment-folder.ts'

export interface InspectedSegment {
  readonly number: number
  readonly bytes: number
  /** What could not be read of it, in bytes from the beginning; null where all can. */
  readonly damage: { readonly offset: number; readonly reason: string } | null
}

export interface InspectedLedger {
  readonly cursor: LedgerPosition | 'damaged' | null
  readonly segments: readonly InspectedSegment[]
  readonly bytes: number
  /** Finals behind the cursor that are still to be stored. */
  readonly waiting: number
  /** When the request of the oldest of them came, in milliseconds since 1970. */
  readonly oldestAtMs: number | null
  /** Intents without a final: requests that run, or that a process did not live to finish. */
  readonly open: number
  readonly missing: readonly { from: number; to: number }[]
  /** The names of the files in quarantine. */
  readonly quarantined: readonly string[]
}

/** Rejects with LedgerFolderError where there is no ledger. */
export async function inspectLedger(folder: string): Promise<InspectedLedger> {
  await insistOnLedger(folder)
  const cursor = await readCursor(folder)
  const numbers = await listSegments(folder)
  const found = new Findings(cursor === 'damaged' ? null : cursor)
  const segments: InspectedSegment[] = []
  for (const number of numbers) {
    const segment = await inspectSegment(folder, number, number === numbers.at(-1), found)
    if (segment) segments.push(segment)
  }
  return {
    cursor,
    segments,
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    waiting: found.waiting,
    oldestAtMs: found.oldestAtMs,
    open: found.open.size,
    missing: missingSegments(expectedRow(numbers, cursor === 'damaged' ? null : cursor)),
    quarantined: await listQuarantine(folder),
  }
}

class Findings {
  readonly cursor: LedgerPosition | null
  readonly open = new Set<string>()
  waiting = 0
  oldestAtMs: number | null = null

  constructor(cursor: LedgerPosition | null) {
    this.cursor = cursor
  }

  add(record: ReturnType<typeof parseRecord>, at: LedgerPosition): void {
    if (record.kind === 'intent') this.open.add(record.intent.id)
    if (record.kind === 'final') this.open.delete(record.event.id)
    if (record.kind === 'intent' || isBehind(at, this.cursor)) return
    this.waiting += 1
    if (record.kind === 'final') this.oldestAtMs = Math.min(record.event.atMs, this.oldestAtMs ?? Number.MAX_VALUE)
  }
}

/** Null where it has been deleted meanwhile, as what is stored is. */
async function inspectSegment(
  folder: string,
  number: number,
  isNewest: boolean,
  found: Findings,
): Promise<InspectedSegment | null> {
  const path = segmentPath(folder, number)
  let offset = 0
  let reason: string | null = null
  let bytes = 0
  try {
    bytes = (await stat(path)).size
    for await (const { frames, next, damage } of readSegment(path, 0, bytes)) {
      for (const frame of frames) found.add(parseRecord(frame), { segment: number, offset: frame.start })
      offset = next
      reason = damage
    }
  } catch (error) {
    if (!isUnreadable(error)) throw error
    if (error.code === 'ENOENT') return null
    reason = error.message
  }
  // The last record of the newest one may be half written at this moment.
  const isBeingWritten = isNewest && reason === tornRecord
  return { number, bytes, damage: reason === null || isBeingWritten ? null : { offset, reason } }
}
