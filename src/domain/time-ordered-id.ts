import { randomBytes } from 'node:crypto'

/**
 * A UUID of version 7 (RFC 9562 §5.7): 48 bits of milliseconds, then 74 random bits. Rows made later sort later, so an
 * index over them grows at its end.
 */
export function makeTimeOrderedId(nowMs: number): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(nowMs, 0, 6)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

const hexOfVersion7 = /(?:^|[^0-9a-f])([0-9a-f]{12})7[0-9a-f]{19}$/

/** When one was made that a text ends with, written without dashes; null where it ends with none. */
export function timeOfId(text: string): number | null {
  const [, time] = hexOfVersion7.exec(text) ?? []
  return time === undefined ? null : Number.parseInt(time, 16)
}

/** The smallest id there can be of this millisecond: those of earlier ones are smaller, all others are not. */
export function firstIdAt(timeMs: number): string {
  const hex = timeMs.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
}
