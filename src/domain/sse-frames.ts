/**
 * Cuts a stream of bytes into whole server-sent event frames, wherever the network split it: inside a line ending, inside
 * a UTF-8 character, one byte at a time. Line endings may be LF, CRLF or CR, also mixed (WHATWG HTML, "Parsing an event
 * stream"); what comes out has LF only, so a frame always ends in "\n\n". A leading byte order mark is dropped.
 */

const lf = 0x0a
const cr = 0x0d
const frameEnd = Buffer.from('\n\n')
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf])

/** A frame grew past the bound; the stream cannot be trusted any more. */
export class FrameTooLargeError extends Error {
  constructor(maxFrameBytes: number) {
    super(`a server-sent event is larger than ${maxFrameBytes} bytes`)
    this.name = 'FrameTooLargeError'
  }
}

export class FrameSplitter {
  readonly #maxFrameBytes: number
  /** Pieces of the frame that has not ended yet. */
  #carry: Buffer[] = []
  #carryBytes = 0
  #carryEndsInLf = false
  /** The last byte was CR: a LF that follows belongs to the same line ending. */
  #afterCr = false
  /** Bytes of a byte order mark seen so far; -1 once the beginning is behind us. */
  #markBytes = 0

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Bytes of the frame that has not ended yet. */
  get pendingBytes(): number {
    return this.#carryBytes
  }

  /**
   * Takes the next bytes; returns all frames that are whole now, back to back, or null if none is.
   * The common case, a chunk of whole frames in LF, is returned as it came, without a copy.
   * Throws FrameTooLargeError.
   */
  push(chunk: Buffer): Buffer | null {
    let bytes = this.#markBytes < 0 ? chunk : this.#skipMark(chunk)
    if (this.#afterCr || bytes.includes(cr)) bytes = this.#toLf(bytes)
    if (bytes.length === 0) return null

    const end = this.#lastFrameEnd(bytes)
    if (end === 0) {
      this.#keep(bytes)
      return null
    }
    const whole = end === bytes.length ? bytes : bytes.subarray(0, end)
    const frames = this.#carryBytes === 0 ? whole : Buffer.concat([...this.#carry, whole])
    this.#carry = []
    this.#carryBytes = 0
    this.#carryEndsInLf = false
    if (end < bytes.length) this.#keep(bytes.subarray(end))
    return frames
  }

  /** The offset after the last frame end in `bytes`, taking the carried bytes before them into account; 0 if none. */
  #lastFrameEnd(bytes: Buffer): number {
    const last = bytes.length - 1
    if (bytes[last] === lf && bytes[last - 1] === lf) return bytes.length
    const found = bytes.lastIndexOf(frameEnd)
    if (found >= 0) return found + 2
    return this.#carryEndsInLf && bytes[0] === lf ? 1 : 0
  }

  #keep(bytes: Buffer): void {
    this.#carryBytes += bytes.length
    if (this.#carryBytes > this.#maxFrameBytes) {
      this.#carry = []
      throw new FrameTooLargeError(this.#maxFrameBytes)
    }
    this.#carry.push(bytes)
    this.#carryEndsInLf = bytes[bytes.length - 1] === lf
    // Many tiny pieces would make the list itself the cost: fold them now and then.
    if (this.#carry.length > 1024) this.#carry = [Buffer.concat(this.#carry)]
  }

  #toLf(bytes: Buffer): Buffer {
    const out = Buffer.allocUnsafe(bytes.length)
    let length = 0
    for (const byte of bytes) {
      if (byte === lf && this.#afterCr) {
        this.#afterCr = false
        continue
      }
      this.#afterCr = byte === cr
      out[length++] = byte === cr ? lf : byte
    }
    return out.subarray(0, length)
  }

  #skipMark(chunk: Buffer): Buffer {
    let offset = 0
    while (offset < chunk.length && this.#markBytes >= 0 && this.#markBytes < byteOrderMark.length) {
      if (chunk[offset] !== byteOrderMark[this.#markBytes]) {
        // Not a mark after all: what looked like its beginning is content.
        const held = byteOrderMark.subarray(0, this.#markBytes)
        this.#markBytes = -1
        return held.length === 0 ? chunk : Buffer.concat([held, chunk.subarray(offset)])
      }
      this.#markBytes++
      offset++
    }
    if (this.#markBytes === byteOrderMark.length) this.#markBytes = -1
    return chunk.subarray(offset)
  }
}

/**
 * The payload of one frame (LF line endings): its `data` lines joined by LF, or null where it has none (a comment, a
 * keep-alive). Other fields (`event`, `id`, `retry`) carry nothing in OpenAI's protocol and are passed over.
 */
export function frameData(frame: string): string | null {
  let data: string | null = null
  for (const line of frame.split('\n')) {
    if (!line.startsWith('data')) continue
    if (line.length > 4 && line[4] !== ':') continue
    const value = line.length <= 5 ? '' : line[5] === ' ' ? line.slice(6) : line.slice(5)
    data = data === null ? value : `${data}\n${value}`
  }
  return data
}
