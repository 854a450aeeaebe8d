import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import { readBytes } from './byte-reader.ts'
import { onEnd } from './cleanup.ts'
import { happens, within } from './inbox.ts'
import { findHeader, parseHeaders, readChunks } from './request-reader.ts'
import { resetSocket } from './reset-socket.ts'

export interface RawHead {
  readonly status: number
  readonly reason: string
  readonly version: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** All values of a header (any case), joined by ", ". */
  header(name: string): string | undefined
}

export interface RawResponse extends RawHead {
  readonly body: Buffer
  readonly text: string
}

/** One block of an event stream: its data lines joined, or a comment. */
export interface RawEvent {
  readonly data: string | undefined
  readonly comment: string | undefined
  /** With its blank line, as received. */
  readonly raw: string
}

/** A client that sends exactly the bytes it is given and reads no further than it is asked. */
export interface RawClient {
  /** Everything received so far, read or not. */
  readonly received: Buffer
  /** Settles when the other side has ended the connection. */
  readonly ended: Promise<'fin' | 'reset'>
  send(bytes: string | Uint8Array): void
  /** A well-formed request; an object body is sent as JSON, with its length. */
  request(method: string, target: string, options?: { headers?: Record<string, string>; body?: unknown }): void
  head(): Promise<RawHead>
  /** The rest of the current answer's body, decoded as its head says. */
  body(): Promise<Buffer>
  /** Head and body of the next answer. */
  response(): Promise<RawResponse>
  /** The current answer's body as it comes: chunks, or packets where the coding is not chunked. */
  pieces(): AsyncGenerator<Buffer>
  /** The current answer's events. */
  events(): AsyncGenerator<RawEvent>
  /** All answers still to come, until the connection ends or is quiet for `quietMs` (300). */
  responses(quietMs?: number): Promise<RawResponse[]>
  /** Stops reading the socket: the other side will find its buffers full. */
  pause(): void
  resume(): void
  /** FIN. */
  end(): void
  /** Closes without a word more: FIN, or RST where bytes are unread. */
  destroy(): void
  /** RST. */
  reset(): void
}

/** Connects to an URL's port on 127.0.0.1. Every wait ends after `patienceMs` (10 s) with an error. */
export async function connectRaw(t: TestContext, url: string, { patienceMs = 10_000 } = {}): Promise<RawClient> {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true, noDelay: true })
  onEnd(t, () => socket.destroy())
  const ended = new Promise<'fin' | 'reset'>(resolve => {
    socket.once('end', () => resolve('fin'))
    socket.once('error', () => resolve('reset'))
  })
  await happens(socket, 'connect')
  const received: Buffer[] = []
  socket.on('data', (part: Buffer) => received.push(part))
  const reader = readBytes(socket)
  let current: RawHead | undefined
  let lastMethod = 'GET'

  function patiently<T>(promise: Promise<T>): Promise<T> {
    const describe = () =>
      `nothing for ${patienceMs} ms after ${JSON.stringify(Buffer.concat(received).toString().slice(-200))}`
    return within(promise, patienceMs, describe)
  }
  async function head(): Promise<RawHead> {
    const bytes = await patiently(reader.until('\r\n\r\n'))
    if (bytes === undefined) throw new Error('the connection ended before a whole head')
    current = parseHead(bytes.toString('latin1'))
    return current.status === 100 ? head() : current
  }
  async function* pieces(): AsyncGenerator<Buffer> {
    if (current === undefined) throw new Error('read the head first')
    const { status, header } = current
    if (lastMethod === 'HEAD' || status === 204 || status === 304) return
    if (header('transfer-encoding')?.toLowerCase() === 'chunked') {
      yield* readChunks(reader)
      return
    }
    const length = header('content-length')
    if (length === undefined) {
      for (let part = await reader.some(); part !== undefined; part = await reader.some()) yield part
      return
    }
    const body = await reader.exactly(Number(length))
    if (body === undefined) throw new Error(`the connection ended before ${length} bytes of body`)
    yield body
  }
  const client: RawClient = {
    get received() {
      return Buffer.concat(received)
    },
    ended,
    send: bytes => void socket.write(bytes),
    request(method, target, options = {}) {
      lastMethod = method
      client.send(formatRequest(host, { method, target, ...options }))
    },
    head,
    async body() {
      return Buffer.concat(await patiently(Array.fromAsync(pieces())))
    },
    async response() {
      const { status, reason, version, headers, header } = await head()
      const body = await client.body()
      return { status, reason, version, headers, header, body, text: body.toString('utf8') }
    },
    pieces: () => patientEach(pieces(), patiently),
    events: () => splitEvents(client.pieces()),
    async responses(quietMs = 300) {
      const rest = await patiently(reader.rest(quietMs))
      return parseResponses(rest.toString('latin1'))
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    reset: () => resetSocket(socket),
  }
  return client
}

/** The parts of a body as whole events, wherever the parts were cut. */
export async function* splitEvents(pieces: AsyncIterable<Buffer>): AsyncGenerator<RawEvent> {
  let held = Buffer.alloc(0)
  for await (const piece of pieces) {
    held = Buffer.concat([held, piece])
    for (let end = held.indexOf('\n\n'); end >= 0; end = held.indexOf('\n\n')) {
      yield parseEvent(held.subarray(0, end + 2).toString('utf8'))
      held = held.subarray(end + 2)
    }
  }
  if (held.length > 0) throw new Error(`the stream ended inside an event: ${JSON.stringify(held.toString('utf8'))}`)
}

function parseEvent(raw: string): RawEvent {
  const lines = raw.split('\n')
  const pick = (mark: RegExp) => lines.filter(line => mark.test(line)).map(line => line.replace(mark, ''))
  const [data, comment] = [pick(/^data: ?/), pick(/^: ?/)]
  const join = (found: string[]) => (found.length === 0 ? undefined : found.join('\n'))
  return { data: join(data), comment: join(comment), raw }
}

function parseHead(text: string): RawHead {
  const [statusLine = '', ...lines] = text.slice(0, -4).split('\r\n')
  const [version = '', status = '', ...reason] = statusLine.split(' ')
  const headers = parseHeaders(lines)
  const header = (name: string) => findHeader(headers, name)
  return { status: Number(status), reason: reason.join(' '), version, headers, header }
}

/** Answers in what was received, one after the other; bytes that are none are an answer of status NaN. */
function parseResponses(text: string): RawResponse[] {
  const found: RawResponse[] = []
  for (let rest = text; rest.length > 0; ) {
    const headEnd = rest.indexOf('\r\n\r\n')
    const head = parseHead(headEnd < 0 ? `${rest}\r\n\r\n` : rest.slice(0, headEnd + 4))
    const after = headEnd < 0 ? '' : rest.slice(headEnd + 4)
    const { body, length } = takeBody(head, after)
    found.push({ ...head, body: Buffer.from(body, 'latin1'), text: Buffer.from(body, 'latin1').toString('utf8') })
    rest = after.slice(length)
  }
  return found
}

function takeBody({ status, header }: RawHead, text: string): { body: string; length: number } {
  if (status < 200 || status === 204 || status === 304) return { body: '', length: 0 }
  if (header('transfer-encoding')?.toLowerCase() !== 'chunked') {
    const length = Number(header('content-length') ?? text.length)
    return { body: text.slice(0, length), length }
  }
  let [body, at] = ['', 0]
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (lineEnd < 0 || Number.isNaN(size)) return { body, length: text.length }
    body += text.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 2 + size + 2
    if (size === 0) return { body, length: at }
  }
}

interface RequestParts {
  method: string
  target: string
  headers?: Record<string, string>
  body?: unknown
}

function formatRequest(host: string, { method, target, headers = {}, body }: RequestParts): Buffer {
  const isText = typeof body === 'string' || body instanceof Uint8Array || body === undefined
  const bytes = Buffer.from(isText ? (body ?? '') : JSON.stringify(body))
  const all = {
    Host: host,
    ...(body !== undefined && { 'Content-Type': 'application/json', 'Content-Length': String(bytes.length) }),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`), bytes])
}

async function* patientEach<T>(
  source: AsyncGenerator<T>,
  patiently: <R>(promise: Promise<R>) => Promise<R>,
): AsyncGenerator<T> {
  for (let item = await patiently(source.next()); item.done !== true; item = await patiently(source.next()))
    yield item.value
}
