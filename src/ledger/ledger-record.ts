/** What a frame says: an intent, a final event, or something that this version cannot read. */
import type { UsageEvent, UsageIntent } from '../domain/usage-event.ts'
import { encodeFrame, type Frame } from './frame.ts'

/** A record whose shape changes gets another number, so that an older program knows that it cannot read it. */
const intentKind = 1
const finalKind = 2

export type LedgerRecord =
  | { readonly kind: 'intent'; readonly intent: UsageIntent }
  | { readonly kind: 'final'; readonly event: UsageEvent }
  | ({ readonly kind: 'unreadable' } & Unreadable)

/** Whole bytes, wrong content: as from a newer version. */
export interface Unreadable {
  readonly reason: string
  readonly text: string
}

/** Throws a RangeError where it is too long. */
export function encodeIntent(intent: UsageIntent): Buffer {
  return encodeFrame(intentKind, JSON.stringify(intent))
}

/** Throws a RangeError where it is too long. */
export function encodeFinal(event: UsageEvent): Buffer {
  return encodeFrame(finalKind, JSON.stringify(event))
}

/** Without a look at its payload. */
export function isIntentFrame({ kind }: Frame): boolean {
  return kind === intentKind
}

export function parseRecord({ kind, payload }: Frame): LedgerRecord {
  const text = payload.toString()
  if (kind !== intentKind && kind !== finalKind) {
    return { kind: 'unreadable', reason: `a record of kind ${kind}, which this version does not know`, text }
  }
  const value = parseIdentified(text)
  if (value === null) return { kind: 'unreadable', reason: 'not a JSON object with an id', text }
  // The checksum vouches for bytes that this program wrote from values of these types.
  return kind === intentKind
    ? { kind: 'intent', intent: value as UsageIntent }
    : { kind: 'final', event: value as UsageEvent }
}

function parseIdentified(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string' ? value : null
  } catch {
    return null
  }
}
