/** How much room the ledger has: `high`, who can wait should be refused; `full`, no intent is taken any more. */
export type LedgerLevel = 'ok' | 'high' | 'full'

/**
 * In bytes. The spool's own size counts up to its marks, with the segment that grows, in which nothing need wait any more;
 * what is free on the disk counts down to them.
 */
export interface LedgerMarks {
  readonly highBytes: number
  readonly fullBytes: number
  readonly highFreeBytes: number
  readonly fullFreeBytes: number
}

/** For each of the two: no room, little room, and well clear of that, so that the level does not flicker at a mark. */
const calmShare = 0.9

export interface Room {
  readonly spoolBytes: number
  /** Null where nobody could say. */
  readonly freeBytes: number | null
}

/** The level that follows on another one, and why. */
export function nextLevel(
  marks: LedgerMarks,
  { spoolBytes, freeBytes }: Room,
  last: LedgerLevel,
): [LedgerLevel, string] {
  const spool = `the ledger takes ${spoolBytes} bytes`
  const free = `${freeBytes} bytes are free on its disk`
  const isBelow = (mark: number) => freeBytes !== null && freeBytes < mark
  if (spoolBytes >= marks.fullBytes) return ['full', spool]
  if (isBelow(marks.fullFreeBytes)) return ['full', free]
  const calm = last === 'ok' ? 1 : calmShare
  if (spoolBytes >= marks.highBytes * calm) return ['high', spool]
  if (isBelow(marks.highFreeBytes / calm)) return ['high', free]
  return ['ok', spool]
}
