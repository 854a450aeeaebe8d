/** The connection between the `postgres` client and PGlite: looks like a socket, hands over whole wire messages. */
import { Duplex } from 'node:stream'

/** The other end. */
export interface WirePeer {
  /** Whole messages, in order; the peer may keep and transfer the bytes. */
  send(bytes: Uint8Array): void
  /** The connection is over. */
  gone(): void
}

const cancelRequest = 80_877_102
const terminate = 0x58

export class WireSocket extends Duplex {
  readonly #peer: WirePeer
  #waiting: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  #started: boolean = false

  constructor(peer: WirePeer) {
    super({ allowHalfOpen: false })
    this.#peer = peer
  }

  /** The client says goodbye only to a socket that says that it is open. */
  get readyState(): 'open' | 'closed' {
    return this.destroyed ? 'closed' : 'open'
  }

  override _read(): void {
    // Answers are pushed when they come: they answer what this process itself asked, so their number is bounded.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk])
    const length = this.#completeLength()
    if (length > 0) {
      const whole = new Uint8Array(this.#waiting.subarray(0, length))
      this.#waiting = this.#waiting.subarray(length)
      this.#peer.send(whole)
    }
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#peer.gone()
    done(error)
  }

  /** How many of the waiting bytes are whole messages. The first message of a connection has no type byte. */
  #completeLength(): number {
    let at = 0
    while (this.#waiting.length - at >= (this.#started ? 5 : 8)) {
      const typeLength = this.#started ? 1 : 0
      const length = typeLength + this.#waiting.readUInt32BE(at + typeLength)
      if (this.#waiting.length - at < length) break
      if (this.#isGoodbye(at)) {
        this.destroy()
        return at
      }
      this.#started = true
      at += length
    }
    return at
  }

  /** The end of the connection, or one opened only to cancel a query, which a single session cannot do. */
  #isGoodbye(at: number): boolean {
    return this.#started ? this.#waiting[at] === terminate : this.#waiting.readUInt32BE(at + 4) === cancelRequest
  }
}
