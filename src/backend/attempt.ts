import { type Dispatcher, errors } from 'undici'
import { Fault } from './fault.ts'
import type { ConnectionUser, KeptConnection } from './kept-connection.ts'
import { type AttemptTimeouts, PhaseTimer } from './phase-timer.ts'
import { maxErrorBodyBytes, parseErrorBody, statusFault } from './status-fault.ts'

export interface AttemptRequest {
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Buffer
  /** Whether the answer is expected as server-sent events. */
  readonly stream: boolean
  /** Close the connection afterwards: engines that do so themselves must not be met again on it. */
  readonly closeAfter: boolean
  /** The engine drops a request whose connection is gone: it may be sent again however long it was worked on. */
  readonly stopsWithClient: boolean
  readonly timeouts: AttemptTimeouts
}

/**
 * A server that closes an idle connection crosses the request on the wire, so the end shows at once. One that comes later
 * befell a request which the server had begun to work on, and may still be working on.
 */
const crossingMs = 200

/** Where an attempt puts what it receives. `onEnd` or `onFault` is called exactly once, last. */
export interface AttemptSink {
  /** The request is being written to a connection: from now on the backend may work on it. */
  onSent(): void
  /**
   * The next bytes of a 2xx answer of the expected kind. False where they do not bring the answer on: then they do not put
   * off the idle timeout. May throw a Fault, which ends the attempt.
   */
  onData(chunk: Buffer): boolean
  /** The answer is whole, as far as HTTP can tell; may throw a Fault. */
  onEnd(): void
  onFault(fault: Fault): void
}

/**
 * One try of one request at one backend. Its life: connecting → waiting for the head → receiving (the answer, or the body
 * of an error) → over. One path ends it early in every phase: `abort`, which closes the backend's socket.
 */
export class Attempt implements Dispatcher.DispatchHandler, ConnectionUser {
  readonly #request: AttemptRequest
  readonly #sink: AttemptSink
  readonly #timer: PhaseTimer
  #controller: Dispatcher.DispatchController | null = null
  #connection: KeptConnection | null = null
  #state: 'open' | 'head' | 'data' | 'error-body' | 'over' = 'open'
  #sentAt = 0
  /** Bytes of the answer's body, also of an error's. */
  #received = 0
  #errorStatus = 0
  #errorRetryAfter: string | undefined
  #errorBody: Buffer[] = []
  #abortedBy: Fault | null = null

  constructor(dispatcher: Dispatcher, request: AttemptRequest, sink: AttemptSink) {
    this.#request = request
    this.#sink = sink
    this.#timer = new PhaseTimer(request.timeouts, request.stream, fault =>
      this.abort(this.#state === 'error-body' ? this.#readErrorBody() : fault),
    )
    dispatcher.dispatch(
      {
        method: 'POST',
        path: request.path,
        headers: request.headers,
        body: request.body,
        ...(request.closeAfter ? { reset: true } : {}),
        // The phases are timed by PhaseTimer, which knows content from headers.
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      this,
    )
  }

  /** Ends the attempt with this fault and closes its connection; without effect once it is over. */
  abort(fault: Fault): void {
    if (this.#state === 'over') return
    this.#abortedBy = fault
    this.#finish(fault)
    // Before the request has a connection there is none to close: onRequestStart does it then.
    this.#controller?.abort(fault)
  }

  /** The caller has got its first content: from now on the gaps are timed. */
  contentBegan(): void {
    if (this.#state !== 'over') this.#timer.contentBegan()
  }

  /**
   * All that was wanted has come. What is left, such as the closing chunk, is read for a moment, so that the connection
   * can be used again, also where the caller is slow to take the answer.
   */
  answered(): void {
    if (this.#state === 'over') return
    this.#timer.lastMoment()
    this.#controller?.resume()
  }

  pause(): void {
    this.#timer.pause()
    this.#controller?.pause()
  }

  resume(): void {
    if (this.#state === 'over') return
    this.#timer.resume()
    this.#controller?.resume()
  }

  onConnection(connection: KeptConnection): void {
    this.#connection = connection
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    this.#connection?.requestStarts()
    this.#sentAt = performance.now()
    if (this.#abortedBy !== null) controller.abort(this.#abortedBy)
    else {
      this.#state = 'head'
      this.#sink.onSent()
    }
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.#state !== 'head' || status < 200) return
    const type = String(headers['content-type'] ?? '').toLowerCase()
    const expected = this.#request.stream ? 'text/event-stream' : 'application/json'
    if (status < 300 && type.startsWith(expected)) {
      this.#state = 'data'
      return
    }
    this.#state = 'error-body'
    this.#timer.lastMoment()
    this.#errorStatus = status
    const retryAfter = headers['retry-after']
    this.#errorRetryAfter = typeof retryAfter === 'string' ? retryAfter : undefined
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#received += chunk.length
    if (this.#state === 'data') {
      this.#guard(() => {
        if (this.#sink.onData(chunk)) this.#timer.touch()
      })
    } else if (this.#state === 'error-body') {
      this.#errorBody.push(chunk)
      if (this.#received >= maxErrorBodyBytes) {
        this.#finish(this.#readErrorBody())
        controller.abort(new Error('enough of an error body'))
      }
    }
  }

  onResponseEnd(): void {
    if (this.#state === 'error-body') this.#finish(this.#readErrorBody())
    else if (this.#state === 'data') {
      this.#guard(() => this.#sink.onEnd())
      this.#over()
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#state === 'over') return
    this.#finish(this.#state === 'error-body' ? this.#readErrorBody() : this.#connectionFault(error))
  }

  /** Runs the sink; a Fault it throws ends the attempt. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.abort(
        error instanceof Fault ? error : new Fault('rubbish', 'the answer could not be read', { cause: error }),
      )
    }
  }

  #readErrorBody(): Fault {
    const body = Buffer.concat(this.#errorBody).subarray(0, maxErrorBodyBytes).toString('utf8')
    if (this.#errorStatus >= 300) return statusFault(this.#errorStatus, body, this.#errorRetryAfter)
    // A 200 that is not the kind of answer we asked for: an error in disguise, or something else altogether.
    if (parseErrorBody(body) !== null) return new Fault('failed', 'the backend answered 200 with an error')
    return new Fault('rubbish', `the backend answered ${this.#errorStatus} with an unexpected content type`)
  }

  #connectionFault(error: Error): Fault {
    const code = 'code' in error ? String(error.code) : ''
    if (this.#state === 'open') {
      const timedOut = code === 'UND_ERR_CONNECT_TIMEOUT'
      return timedOut
        ? new Fault('timeout', 'connect timeout', { phase: 'connect', cause: error })
        : new Fault('connect', `connection failed (${code})`, { cause: error })
    }
    // On a connection that is to be closed afterwards undici takes its end in mid-answer for an error of the parser, which
    // has only words to tell it by: its code is undefined.
    if (error instanceof errors.HTTPParserError && error.message.includes('Invalid EOF state')) {
      return new Fault('reset', 'connection lost in the middle of the answer')
    }
    // Without its cause: a parser's error carries the bytes it did not understand.
    if (error instanceof errors.HTTPParserError) return new Fault('rubbish', `the answer is not HTTP: ${error.message}`)
    if (code === 'UND_ERR_HEADERS_OVERFLOW') return new Fault('rubbish', 'the headers of the answer are too large')
    const maySendAgain = this.#request.stopsWithClient || performance.now() - this.#sentAt < crossingMs
    const staleConnection = this.#state === 'head' && maySendAgain && this.#connection?.wasStale === true
    return new Fault('reset', `connection lost (${code})`, { cause: error, staleConnection })
  }

  #finish(fault: Fault): void {
    if (this.#state === 'over') return
    this.#over()
    this.#sink.onFault(fault)
  }

  #over(): void {
    this.#state = 'over'
    this.#timer.stop()
    this.#errorBody = []
  }
}
