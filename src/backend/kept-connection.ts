import type { Socket } from 'node:net'
import { type buildConnector, Client, type Dispatcher } from 'undici'

/** Who wants to know what its connection had carried before. */
export interface ConnectionUser {
  onConnection(connection: KeptConnection): void
}

/**
 * One connection to a backend, opened again where it has ended. A connection that is used again may end under a request
 * because the server had enough of it just then: what tells such an end from any other is kept here, because undici's
 * errors do not (a reset comes without the socket it befell).
 */
export class KeptConnection extends Client {
  #opened: { readonly socket: Socket; requests: number } | null = null
  #bytesBefore = 0

  constructor(origin: URL, options: Client.Options, connect: buildConnector.connector) {
    super(origin, {
      ...options,
      connect: (to, done) =>
        connect(to, (...result) => {
          this.#opened = result[1] === null ? null : { socket: result[1], requests: 0 }
          done(...result)
        }),
    })
  }

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler & ConnectionUser,
  ): boolean {
    handler.onConnection(this)
    return super.dispatch(options, handler)
  }

  /** A request is about to be written. */
  requestStarts(): void {
    if (this.#opened === null) return
    this.#opened.requests += 1
    this.#bytesBefore = this.#opened.socket.bytesRead
  }

  /** Whether the connection had carried an earlier request, and nothing has come for this one. */
  get wasStale(): boolean {
    return this.#opened !== null && this.#opened.requests > 1 && this.#opened.socket.bytesRead === this.#bytesBefore
  }
}
