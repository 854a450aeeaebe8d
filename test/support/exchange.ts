import type { Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { RecordedRequest } from './request-reader.ts'

export type Header = readonly [name: string, value: string]

/** Answers one request. Once the answer is complete and this has settled, the connection may carry the next request. */
export type Behaviour = (exchange: Exchange) => unknown

/** How a request's connection ended. */
export interface Closing {
  readonly exchange: Exchange
  /** `performance.now()` when the backend learnt of it. */
  readonly atMs: number
  readonly by: 'client' | 'backend'
  readonly how: 'fin' | 'reset'
  /** Whether the answer was complete by then. */
  readonly finished: boolean
}

/** One request and the answer a test writes to it, byte by byte where it wants. Every write says whether the socket is still open. */
export interface Exchange {
  readonly request: RecordedRequest
  /** 1 for the first request of its connection. */
  readonly ordinal: number
  /** The backend's count of connections when this one came: equal numbers mean the same socket. */
  readonly connection: number
  /** SSE events written with content the client pays for: `event` counts, `control`, `comment` and `done` do not. */
  readonly eventsSent: number
  readonly bytesSent: number
  readonly isOpen: boolean
  readonly closed: Promise<Closing>
  /** Aborts when the socket closes. */
  readonly signal: AbortSignal

  /** These bytes and no others. Waits while the client does not read. */
  write(bytes: string | Uint8Array): Promise<boolean>
  head(status: number, headers: readonly Header[]): Promise<boolean>
  /** A complete answer with these headers and `Content-Length`; FIN after it when one of them is `Connection: close`. */
  answer(status: number, headers: readonly Header[], body: string | Uint8Array): Promise<boolean>
  /** A complete JSON answer. */
  json(status: number, body: unknown): Promise<boolean>
  /** Headers of an event stream in chunked coding. */
  stream(headers?: readonly Header[]): Promise<boolean>
  /** One chunk of a chunked body. */
  chunk(bytes: string | Uint8Array): Promise<boolean>
  /** One event in a chunk of its own. An object is sent as JSON. */
  event(data: unknown): Promise<boolean>
  /** Several events in one chunk, as llama-server sends its first and its last; each counts unless `counted` says otherwise. */
  events(data: readonly unknown[], counted?: number): Promise<boolean>
  /** An event that is not output: role, finish, usage. */
  control(data: unknown): Promise<boolean>
  comment(text?: string): Promise<boolean>
  /** `data: [DONE]`. */
  done(): Promise<boolean>
  /** The closing chunk. With `close` the connection gets its FIN after it, as llama-server does after every stream. */
  end(options?: { close?: boolean }): Promise<void>
  /** FIN now, whatever the body lacks. */
  hangUp(): void
  /** RST. */
  reset(): void
  /** Says nothing more until the socket closes. */
  stall(): Promise<void>
  /** True after `ms`; false at once when the socket closes. */
  wait(ms: number): Promise<boolean>
  /** Ends the answer for the recorder without writing (after raw `write`s): the next request on the connection may come. */
  finish(): void
}

const REASONS: Record<number, string> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

export interface Connection {
  readonly socket: Socket
  readonly number: number
  readonly closing: Promise<Omit<Closing, 'exchange' | 'finished'>>
  reset(): void
}

export function createExchange(
  connection: Connection,
  request: RecordedRequest,
  ordinal: number,
): { exchange: Exchange; isFinished: () => boolean } {
  const { socket } = connection
  const gone = new AbortController()
  let [eventsSent, bytesSent, finished] = [0, 0, false]
  const closed = connection.closing.then(closing => {
    const known = { exchange, ...closing, finished }
    gone.abort()
    return known
  })
  async function write(bytes: string | Uint8Array): Promise<boolean> {
    if (!isWritable()) return false
    bytesSent += Buffer.byteLength(bytes)
    if (!socket.write(bytes)) await drained(socket, gone.signal)
    return isWritable()
  }
  const isWritable = () => socket.writable && !gone.signal.aborted
  const head = (status: number, headers: readonly Header[]) => write(formatHead(status, headers))
  const chunk = (bytes: string | Uint8Array) => write(frame(bytes))
  const exchange: Exchange = {
    request,
    ordinal,
    connection: connection.number,
    get eventsSent() {
      return eventsSent
    },
    get bytesSent() {
      return bytesSent
    },
    get isOpen() {
      return isWritable()
    },
    closed,
    signal: gone.signal,
    write,
    head,
    async answer(status, headers, body) {
      finished = true
      const closes = headers.some(([name, value]) => /^connection$/i.test(name) && /^close$/i.test(value))
      const start = formatHead(status, [['Content-Length', String(Buffer.byteLength(body))], ...headers])
      const isOpen = await write(Buffer.concat([Buffer.from(start), Buffer.from(body)]))
      if (closes) socket.end()
      return isOpen
    },
    json: (status, body) => exchange.answer(status, [['Content-Type', 'application/json']], JSON.stringify(body)),
    stream: (headers = [['Content-Type', 'text/event-stream']]) =>
      head(200, [...headers, ['Transfer-Encoding', 'chunked']]),
    chunk,
    event: data => exchange.events([data]),
    events(data, counted = data.length) {
      if (isWritable()) eventsSent += counted
      return chunk(data.map(formatEvent).join(''))
    },
    control: data => exchange.events([data], 0),
    comment: (text = '') => chunk(`:${text}\n\n`),
    done: () => chunk('data: [DONE]\n\n'),
    async end({ close = false } = {}) {
      finished = true
      await write('0\r\n\r\n')
      if (close) socket.end()
    },
    hangUp: () => void socket.end(),
    reset: connection.reset,
    async stall() {
      await closed
    },
    wait: ms =>
      // A timer of 0 takes 1 ms: too long for a recording that is sent byte by byte.
      (ms > 0 ? sleep(ms, undefined, { signal: gone.signal }) : nextTurn()).then(
        () => isWritable(),
        () => false,
      ),
    finish() {
      finished = true
    },
  }
  return { exchange, isFinished: () => finished }
}

function formatHead(status: number, headers: readonly Header[]): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${REASONS[status] ?? 'Status'}\r\n${lines.join('')}\r\n`
}

function formatEvent(data: unknown): string {
  return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
}

/** One write for size, bytes and line end: the kernel gets the chunk whole. */
function frame(bytes: string | Uint8Array): Buffer {
  const body = Buffer.from(bytes)
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')])
}

function drained(socket: Socket, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const go = () => {
      socket.off('drain', go)
      signal.removeEventListener('abort', go)
      resolve()
    }
    socket.once('drain', go)
    signal.addEventListener('abort', go)
  })
}
