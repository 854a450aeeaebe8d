import type { ServerResponse } from 'node:http'
import type { WeirError } from '../errors.ts'
import { Fault } from './fault.ts'

export interface ClientStreamTimes {
  /** How long the 200 waits for the first content. */
  readonly commitAfterMs: number
  /** Between two comment lines while there is nothing to say. */
  readonly heartbeatMs: number
  /** How long the caller may leave what was written unread. */
  readonly stallMs: number
}

export interface ClientStreamEvents {
  /** The 200 is about to be sent: no ordinary error can follow. */
  readonly onCommit: () => void
  /** The caller reads slower than we write (true), or has caught up (false). */
  readonly onPressure: (slow: boolean) => void
  readonly onStall: () => void
}

const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const

const ping = Buffer.from(': ping\n\n')

/** Frames without content are held until content comes; a backend that sends only such is not listened to for ever. */
const maxHeldBytes = 256 * 1024

/**
 * The caller's side of a stream. Holding → committed → over. While it holds, nothing has been sent and a failure can still
 * be an ordinary HTTP status; the first content, or commitAfterMs without any, commits it. Frames without content are kept
 * beyond that, until content comes: until then another attempt may take this one's place, with frames of its own.
 */
export class ClientStream {
  readonly #raw: ServerResponse
  readonly #headers: Record<string, string | string[]>
  readonly #times: ClientStreamTimes
  readonly #events: ClientStreamEvents
  #state: 'holding' | 'committed' | 'over' = 'holding'
  #held: Buffer[] = []
  #heldBytes = 0
  #commitTimer: NodeJS.Timeout | null
  #heartbeat: NodeJS.Timeout | null = null
  #stallTimer: NodeJS.Timeout | null = null
  #wroteSinceBeat = false

  /** `headers` go out with the 200, beside those of every event stream. */
  constructor(
    raw: ServerResponse,
    headers: Record<string, string | string[]>,
    times: ClientStreamTimes,
    events: ClientStreamEvents,
  ) {
    this.#raw = raw
    this.#headers = headers
    this.#times = times
    this.#events = events
    this.#commitTimer = setTimeout(() => {
      this.commit()
      this.#put(ping)
    }, times.commitAfterMs)
    raw.once('close', () => this.#stop())
  }

  get isCommitted(): boolean {
    return this.#state !== 'holding'
  }

  /** Keeps frames that carry no content yet; they go out with the first that does, or are dropped with the attempt. */
  hold(frames: Buffer): void {
    if (this.#state === 'over') return
    this.#held.push(frames)
    this.#heldBytes += frames.length
    if (this.#heldBytes > maxHeldBytes) throw new Fault('rubbish', `${maxHeldBytes} bytes of events without content`)
  }

  /** The attempt that they came from has failed. */
  dropHeld(): void {
    this.#held = []
    this.#heldBytes = 0
  }

  /** Sends the 200. */
  commit(): void {
    if (this.#state !== 'holding') return
    this.#state = 'committed'
    if (this.#commitTimer !== null) clearTimeout(this.#commitTimer)
    this.#commitTimer = null
    this.#events.onCommit()
    this.#raw.writeHead(200, { ...this.#headers, ...streamHeaders })
    this.#heartbeat = setInterval(() => this.#beat(), this.#times.heartbeatMs)
  }

  write(frames: Buffer): void {
    if (this.#state === 'holding') this.commit()
    if (this.#state !== 'committed') return
    this.#putHeld()
    this.#put(frames)
  }

  /** Ends a committed stream with an error event and without `[DONE]`, so that every SDK raises. */
  fail(error: WeirError): void {
    if (this.#state !== 'committed') return
    this.dropHeld()
    this.#put(Buffer.from(`data: ${JSON.stringify(error.body)}\n\n`))
    this.end()
  }

  /** The answer is whole, if only of frames without content. */
  end(): void {
    if (this.#held.length > 0) this.commit()
    if (this.#state !== 'committed') return
    this.#putHeld()
    this.#stop()
    this.#raw.end()
    // 'close' comes when the last byte is out, and clears it.
    this.#stallTimer = setTimeout(() => this.#events.onStall(), this.#times.stallMs)
  }

  /** Gives the reply back unsent, for an ordinary error. Only while holding. */
  release(): void {
    this.#stop()
  }

  #putHeld(): void {
    if (this.#held.length === 0) return
    for (const frames of this.#held) this.#put(frames)
    this.dropHeld()
  }

  #put(bytes: Buffer): void {
    this.#wroteSinceBeat = true
    if (this.#raw.write(bytes) || this.#stallTimer !== null) return
    this.#events.onPressure(true)
    this.#stallTimer = setTimeout(() => this.#events.onStall(), this.#times.stallMs)
    this.#raw.once('drain', () => {
      this.#clearStall()
      if (this.#state === 'committed') this.#events.onPressure(false)
    })
  }

  #beat(): void {
    if (!this.#wroteSinceBeat && this.#stallTimer === null) this.#put(ping)
    this.#wroteSinceBeat = false
  }

  #clearStall(): void {
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer)
    this.#stallTimer = null
  }

  #stop(): void {
    this.#state = 'over'
    this.#held = []
    if (this.#commitTimer !== null) clearTimeout(this.#commitTimer)
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    this.#commitTimer = null
    this.#heartbeat = null
    this.#clearStall()
  }
}
