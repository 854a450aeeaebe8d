import type { Socket } from 'node:net'

/** Reads a socket piece by piece. What came is kept until asked for, so nothing is lost between two questions. */
export interface ByteReader {
  /** Up to and including `mark`; undefined when the connection ends first (what came stays and can be read). */
  until(mark: string): Promise<Buffer | undefined>
  /** Exactly `count` bytes; undefined when the connection ends first. */
  exactly(count: number): Promise<Buffer | undefined>
  /** Whatever is there, at least one byte; undefined at the end. */
  some(): Promise<Buffer | undefined>
  /** Everything up to the end of the connection, or until nothing has come for `quietMs`. */
  rest(quietMs?: number): Promise<Buffer>
}

export function readBytes(socket: Socket): ByteReader {
  let held = Buffer.alloc(0)
  let parts: Buffer[] = []
  let ended = false
  let wake: () => void = () => undefined
  const end = () => {
    ended = true
    wake()
  }
  socket.on('data', (part: Buffer) => {
    parts.push(part)
    wake()
  })
  socket.once('end', end).once('close', end)

  function gather(): Buffer {
    // Joined only when asked: joining on every packet would be quadratic for large bodies.
    if (parts.length > 0) held = Buffer.concat([held, ...parts])
    parts = []
    return held
  }
  function more(): Promise<void> {
    return new Promise(resolve => {
      wake = resolve
    })
  }
  function cut(count: number): Buffer {
    const bytes = held.subarray(0, count)
    held = held.subarray(count)
    return bytes
  }
  /** Waits until `measure` says how many bytes to hand out. */
  async function wait(measure: (bytes: Buffer) => number | undefined): Promise<Buffer | undefined> {
    for (;;) {
      const count = measure(gather())
      if (count !== undefined) return cut(count)
      if (ended) return undefined
      await more()
    }
  }
  return {
    until(mark) {
      let searched = 0
      return wait(bytes => {
        const index = bytes.indexOf(mark, searched)
        searched = Math.max(0, bytes.length - mark.length)
        return index < 0 ? undefined : index + mark.length
      })
    },
    exactly: count => wait(bytes => (bytes.length >= count ? count : undefined)),
    some: () => wait(bytes => (bytes.length > 0 ? bytes.length : undefined)),
    async rest(quietMs) {
      while (!ended) {
        const before = gather().length
        let timer: NodeJS.Timeout | undefined
        if (quietMs !== undefined) timer = setTimeout(() => wake(), quietMs)
        await more()
        clearTimeout(timer)
        if (!ended && gather().length === before) break
      }
      return cut(gather().length)
    },
  }
}
