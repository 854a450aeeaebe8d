/**
 * How a record lies in a segment, big endian:
 *
 *     u32 crc | u32 length of the payload | u8 kind | payload
 *
 * The CRC is that of zlib and covers all that follows it, so that neither a length nor a kind can be wrong unnoticed.
 */
import { crc32 } from 'node:zlib'

const headerBytes = 9
/** A record has no prompt and no answer in it: what is longer than this is not one of ours. */
export const maxPayloadBytes = 64 * 1024
export const maxFrameBytes = headerBytes + maxPayloadBytes

export interface Frame {
  readonly kind: number
  /** A view of the bytes that were read, not a copy. */
  readonly payload: Buffer
  /** Where it begins and where the next one does, in bytes from the beginning of what was decoded. */
  readonly start: number
  readonly end: number
}

/** Throws a RangeError where the payload is longer than a record may be. */
export function encodeFrame(kind: number, payload: string): Buffer {
  const length = Buffer.byteLength(payload)
  if (length > maxPayloadBytes) {
    throw new RangeError(
      `A usage record of ${length} bytes: ${maxPayloadBytes} at most can be kept. Something in it should have been bounded before.`,
    )
  }
  const frame = Buffer.allocUnsafe(headerBytes + length)
  frame.writeUInt32BE(length, 4)
  frame.writeUInt8(kind, 8)
  frame.write(payload, headerBytes)
  frame.writeUInt32BE(crc32(frame.subarray(4)), 0)
  return frame
}

export interface Decoded {
  readonly frames: readonly Frame[]
  /** Up to where the bytes are whole frames. */
  readonly end: number
  /** Why there is no frame at `end`: null where the bytes end there or in the middle of one. */
  readonly damage: string | null
}

/** The whole frames at the beginning of these bytes. */
export function decodeFrames(bytes: Buffer): Decoded {
  const frames: Frame[] = []
  let end = 0
  for (;;) {
    const frame = decodeFrame(bytes, end)
    if (frame === null) return { frames, end, damage: null }
    if (typeof frame === 'string') return { frames, end, damage: frame }
    frames.push(frame)
    end = frame.end
  }
}

/** The frame that begins at `start`; null where its bytes are not all there, or what is wrong with it. */
function decodeFrame(bytes: Buffer, start: number): Frame | string | null {
  if (bytes.length - start < headerBytes) return null
  const length = bytes.readUInt32BE(start + 4)
  if (length > maxPayloadBytes) return `a length of ${length} bytes, which no record has`
  const end = start + headerBytes + length
  if (end > bytes.length) return null
  if (crc32(bytes.subarray(start + 4, end)) !== bytes.readUInt32BE(start)) return 'a wrong checksum'
  return { kind: bytes.readUInt8(start + 8), payload: bytes.subarray(start + headerBytes, end), start, end }
}
