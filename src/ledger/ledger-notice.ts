import type { LedgerLevel } from './ledger-level.ts'
import type { LedgerPosition } from './segment-folder.ts'

/** What the operator should know of; nothing the ledger meets is passed over without one. */
export type LedgerNotice =
  | { readonly kind: 'level'; readonly level: LedgerLevel; readonly reason: string }
  /** Bytes of a segment that could not be read; `keptAs` in quarantine, null where they could not be copied. */
  | {
      readonly kind: 'damage'
      readonly at: LedgerPosition
      readonly damage: SegmentDamage
      readonly keptAs: string | null
      /** Finals that were in them, as far as that is known; 1 where it is not. */
      readonly lost: number
    }
  | { readonly kind: 'segments_missing'; readonly from: number; readonly to: number }
  /** Nobody knows what is stored already: everything there is handed out again. */
  | { readonly kind: 'cursor_damaged' }
  /** A failed fsync or write: what the segment had got since its last good fsync is written again to another. */
  | { readonly kind: 'segment_distrusted'; readonly segment: number; readonly records: number; readonly error: unknown }
  /** Its file was removed, renamed or replaced: what it had was read through the open file and is written to another. */
  | { readonly kind: 'segment_displaced'; readonly segment: number; readonly records: number }
  /** The folder or the lock in it was removed or renamed; it has been made, where it was gone, and locked again. */
  | { readonly kind: 'folder_taken_anew'; readonly folder: string }
  /** Nothing can be written at the moment; intents are refused, finals wait. */
  | { readonly kind: 'write_failed'; readonly error: unknown }
  /** Intents of an earlier process that nobody finished. */
  | { readonly kind: 'unknown'; readonly events: number }
  /** Not all of them could be finished; the next process will. */
  | { readonly kind: 'unknown_failed'; readonly error: unknown }
  /** Stored segments could not be deleted; it is tried again with the next acknowledgement. */
  | { readonly kind: 'sweep_failed'; readonly error: unknown }

export interface SegmentDamage {
  readonly reason: string
  /** From there to the end of the segment. */
  readonly bytes: number
}
