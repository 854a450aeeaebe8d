import type { IncomingMessage, ServerResponse } from 'node:http'
import { RequestBody } from './request-body.ts'
import { badRequest, toWireError, WireError } from './wire-error.ts'

const maxBodyBytes = 32 * 2 ** 20

/** One request and its answer. */
export class Exchange {
  /** Aborts as soon as the client has gone, in whatever phase. */
  readonly signal: AbortSignal
  readonly #request: IncomingMessage
  readonly #response: ServerResponse

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request
    this.#response = response
    const abort = new AbortController()
    this.signal = abort.signal
    response.once('close', () => {
      if (!response.writableFinished) abort.abort(new Error('the client has gone'))
    })
  }

  /** The JSON body. Throws a 400 or 413. */
  async readBody(): Promise<RequestBody> {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of this.#request) {
      const bytes: Buffer = chunk
      size += bytes.length
      if (size > maxBodyBytes) throw new WireError(413, 'invalid_request_error', 'the request body is too large')
      chunks.push(bytes)
    }
    try {
      return new RequestBody(JSON.parse(Buffer.concat(chunks).toString('utf8')))
    } catch (error) {
      if (error instanceof WireError) throw error
      throw badRequest(`the request body is not JSON: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  sendJson(body: object, status = 200): void {
    const bytes = Buffer.from(JSON.stringify(body))
    const headers: Record<string, string | number> = {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': bytes.length,
    }
    // As llama-server: an error ends the connection, so an unread body cannot be taken for the next request.
    if (status >= 400) headers['Connection'] = 'close'
    this.#response.writeHead(status, headers).end(bytes)
  }

  /** Sends the headers of an event stream; a second call does nothing. */
  startStream(): void {
    if (this.#response.headersSent) return
    this.#response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' })
    this.#response.flushHeaders()
  }

  sendEvents(events: readonly object[]): void {
    if (events.length === 0) return
    this.#response.write(events.map(event => `data: ${JSON.stringify(event)}\n\n`).join(''))
  }

  endStream(): void {
    this.#response.end('data: [DONE]\n\n')
  }

  /** Answers with an error in whatever form is still possible. */
  fail(error: unknown): void {
    if (this.signal.aborted || this.#response.writableEnded) return
    const wireError = toWireError(error)
    if (!this.#response.headersSent) {
      this.sendJson(wireError.body, wireError.status)
      return
    }
    // Without [DONE]: a broken answer must not look complete.
    this.sendEvents([wireError.body])
    this.#response.end()
  }
}
