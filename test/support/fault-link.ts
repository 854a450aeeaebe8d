import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { resetSocket } from './reset-socket.ts'

/** What one direction of a connection suffers. */
export interface Toxics {
  latency?: { ms: number; jitterMs: number }
  bytesPerSecond?: number
  slicer?: { size: number; delayMs: number }
  /** `passed` counts per connection since the fault was set. */
  limit?: { bytes: number; passed: WeakMap<Socket, number> }
  isBlackhole?: boolean
  slowCloseMs?: number
}

interface Parcel {
  bytes: Buffer
  atMs: number
}

// Bytes under way in a slow link; above it the sender is not read, so that it feels the link as a real one.
const MAX_HELD_BYTES = 1_048_576

/** Carries bytes, FIN and RST from one socket to the other, through what `look` says at that moment. */
export async function forward(from: Socket, to: Socket, look: () => Toxics): Promise<void> {
  const gone = new AbortController()
  to.once('close', () => gone.abort())
  // Where one side breaks the other breaks, except in a blackhole, where no news arrives.
  from.once('error', () => !look().isBlackhole && resetSocket(to))
  const held: Parcel[] = []
  let [heldBytes, hasEnded] = [0, false]
  let wake: () => void = () => undefined
  from.on('data', (bytes: Buffer) => {
    held.push({ bytes, atMs: performance.now() })
    heldBytes += bytes.length
    if (heldBytes > MAX_HELD_BYTES) from.pause()
    wake()
  })
  for (const ending of ['end', 'close'] as const) {
    from.once(ending, () => {
      hasEnded = true
      wake()
    })
  }
  gone.signal.addEventListener('abort', () => wake())
  while (!gone.signal.aborted) {
    const parcel = held.shift()
    if (parcel !== undefined) {
      await deliver(parcel, to, look, gone.signal)
      heldBytes -= parcel.bytes.length
      if (heldBytes <= MAX_HELD_BYTES) from.resume()
    } else if (hasEnded) {
      if (look().isBlackhole) return
      await pause(look().slowCloseMs ?? 0, gone.signal)
      to.end()
      return
    } else {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  if (!look().isBlackhole) from.destroy()
}

async function deliver({ bytes, atMs }: Parcel, to: Socket, look: () => Toxics, gone: AbortSignal): Promise<void> {
  const { latency } = look()
  if (latency !== undefined) {
    const dueMs = atMs + latency.ms + (Math.random() * 2 - 1) * latency.jitterMs
    await pause(dueMs - performance.now(), gone)
  }
  for (let at = 0; at < bytes.length && !gone.aborted; ) {
    const { slicer, bytesPerSecond, limit, isBlackhole } = look()
    if (isBlackhole) return
    const room = limit === undefined ? Number.POSITIVE_INFINITY : limit.bytes - (limit.passed.get(to) ?? 0)
    // A slow line is passed in portions of a twentieth of a second.
    const portion = bytesPerSecond === undefined ? bytes.length : Math.max(1, Math.floor(bytesPerSecond / 20))
    const piece = bytes.subarray(at, at + Math.min(slicer?.size ?? bytes.length, portion, room))
    limit?.passed.set(to, (limit.passed.get(to) ?? 0) + piece.length)
    if (piece.length > 0 && to.writable && !to.write(piece)) {
      await once(to, 'drain', { signal: gone }).catch(() => undefined)
    }
    at += piece.length
    if (piece.length === room) {
      to.end()
      return
    }
    if (bytesPerSecond !== undefined) await pause((piece.length / bytesPerSecond) * 1_000, gone)
    if (slicer !== undefined && at < bytes.length) await pause(slicer.delayMs, gone)
  }
}

async function pause(ms: number, gone: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal: gone }).catch(() => undefined)
}
