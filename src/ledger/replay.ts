/** What an earlier process has left: read once from beginning to end, in memory that does not grow with it. */
import { stat, truncate } from 'node:fs/promises'
import { readCursor } from './cursor.ts'
import { isUnreadable } from './ledger-disk.ts'
import type { LedgerNotice } from './ledger-notice.ts'
import { type LedgerRecord, parseRecord } from './ledger-record.ts'
import { quarantineTail } from './quarantine.ts'
import {
  isBehind,
  type LedgerPosition,
  listSegments,
  missingSegments,
  readSegment,
  segmentPath,
} from './segment-folder.ts'
import { SegmentLengths } from './segment-lengths.ts'

export interface Replayed {
  /** From where on nothing has been stored. */
  readonly cursor: LedgerPosition
  /** The number of the next segment: one that an earlier process wrote to is not appended to. */
  readonly next: number
  /** In bytes, of what can be read of each segment. */
  readonly lengths: SegmentLengths
  /** Which segment has the intent of those that have no final. */
  readonly openIntents: Map<string, number>
  /** Records that are to be stored. */
  readonly waiting: number
}

export async function replay(folder: string, onNotice: (notice: LedgerNotice) => void): Promise<Replayed> {
  const numbers = await listSegments(folder)
  const kept = await readCursor(folder)
  if (kept === 'damaged') onNotice({ kind: 'cursor_damaged' })
  const cursor = kept === 'damaged' ? null : kept
  for (const gap of missingSegments(expectedRow(numbers, cursor))) onNotice({ kind: 'segments_missing', ...gap })

  const lengths = new SegmentLengths()
  const openIntents = new Map<string, number>()
  let waiting = 0
  for (const segment of numbers) {
    let finals = 0
    const length = await readWhole(folder, segment, {
      onNotice,
      onRecord: (record, offset) => {
        if (record.kind === 'intent') openIntents.set(record.intent.id, segment)
        if (record.kind === 'final') openIntents.delete(record.event.id)
        if (record.kind !== 'intent' && !isBehind({ segment, offset }, cursor)) finals += 1
      },
    })
    lengths.set(segment, length)
    lengths.addFinals(segment, finals)
    waiting += finals
  }
  const last = Math.max(numbers.at(-1) ?? 0, cursor === null ? 0 : cursor.segment - (cursor.offset > 0 ? 0 : 1))
  const start = cursor ?? { segment: numbers[0] ?? last + 1, offset: 0 }
  return { cursor: start, next: last + 1, lengths, openIntents, waiting }
}

/** The numbers from the cursor on, with those that should be there by it, even if nothing came after them. */
export function expectedRow(numbers: readonly number[], cursor: LedgerPosition | null): readonly number[] {
  if (cursor === null) return numbers
  // Its segment is deleted only once the cursor is beyond it.
  const isGone = cursor.offset > 0 && !numbers.some(number => number >= cursor.segment)
  const around = isGone ? [cursor.segment - 1, cursor.segment + 1] : [cursor.segment - 1]
  const later = numbers.filter(number => number >= cursor.segment)
  return [...around, ...later].sort((a, b) => a - b)
}

interface Findings {
  readonly onRecord: (record: LedgerRecord, offset: number) => void
  readonly onNotice: (notice: LedgerNotice) => void
}

/** Gives how much of a segment can be used; what cannot is moved to quarantine. */
async function readWhole(folder: string, segment: number, { onRecord, onNotice }: Findings): Promise<number> {
  const path = segmentPath(folder, segment)
  let size = 0
  let offset = 0
  let reason: string | null = null
  try {
    size = (await stat(path)).size
    for await (const { frames, next, damage } of readSegment(path, 0, size)) {
      for (const frame of frames) onRecord(parseRecord(frame), frame.start)
      offset = next
      reason = damage
    }
  } catch (error) {
    if (!isUnreadable(error)) throw error
    reason = error.message
  }
  if (reason === null) return size
  const keptAs = await moveTail(folder, { segment, offset }, size, reason)
  onNotice({ kind: 'damage', at: { segment, offset }, damage: { reason, bytes: size - offset }, keptAs, lost: 1 })
  return offset
}

async function moveTail(folder: string, at: LedgerPosition, end: number, reason: string): Promise<string | null> {
  try {
    const name = await quarantineTail(folder, at, end, reason)
    await truncate(segmentPath(folder, at.segment), at.offset)
    return name
  } catch {
    // It stays where it is and is passed over; the notice says that it is not kept.
    return null
  }
}
