/** What a segment has whose file is not at its place any more, read through its open descriptor. */
import { encodeFrame, type Frame } from './frame.ts'
import { parseRecord } from './ledger-record.ts'
import type { OpenIntents } from './open-intents.ts'
import type { Entry, Segment } from './segment.ts'
import type { LedgerPosition } from './segment-folder.ts'

export interface RescueOptions {
  /** Whether the store has what lies there. */
  readonly isStored: (at: LedgerPosition) => boolean
  readonly openIntents: OpenIntents
}

export interface Rescued {
  /** What is still needed, in its order. */
  readonly entries: readonly Entry[]
  /** Why what lies behind `end` could not be read; null where all could. */
  readonly reason: string | null
  readonly end: number
  /** Finals that could not be read and are not in memory either. */
  readonly lost: number
}

/** `finals`: how many the segment has got. */
export async function rescue(segment: Segment, finals: number, options: RescueOptions): Promise<Rescued> {
  const entries: Entry[] = []
  const seen = new Set<string>()
  let reason: string | null = null
  let end = 0
  try {
    for await (const { frames, next, damage } of segment.read()) {
      for (const frame of frames) {
        const entry = entryOf(frame)
        if (entry === null) continue
        if (entry.kind === 'final') seen.add(entry.id)
        if (isNeeded(entry, { segment: segment.number, offset: frame.start }, options)) entries.push(entry)
      }
      end = next
      reason = damage
    }
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error)
  }
  if (reason === null) return { entries, reason, end, lost: 0 }
  // What no fsync has confirmed yet is still in memory.
  const held = segment.unsynced.filter(({ kind, id }) =>
    kind === 'final' ? !seen.has(id) : options.openIntents.has(id),
  )
  for (const { kind, id } of held) if (kind === 'final') seen.add(id)
  return { entries: [...entries, ...held], reason, end, lost: Math.max(0, finals - seen.size) }
}

/** Null of a kind that this process does not write. */
function entryOf(frame: Frame): Entry | null {
  const record = parseRecord(frame)
  if (record.kind === 'unreadable') return null
  const { id } = record.kind === 'intent' ? record.intent : record.event
  return { kind: record.kind, id, frame: encodeFrame(frame.kind, frame.payload.toString()) }
}

function isNeeded({ kind, id }: Entry, at: LedgerPosition, { isStored, openIntents }: RescueOptions): boolean {
  return kind === 'intent' ? openIntents.get(id) === at.segment : !isStored(at)
}
