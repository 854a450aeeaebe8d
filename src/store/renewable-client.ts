/**
 * A `postgres` client that can be replaced as a whole while everybody keeps the same `sql` in hand. It has to be: in
 * postgres 3.4.9 a connection that closes with a write still buffered never sends anything again (its write timer is
 * cancelled but not forgotten), so what comes back after an outage is a pool with dead places in it.
 *
 * For the same reason nothing here uses `sql.begin`: a query of a transaction whose connection has closed throws where
 * nobody can catch it, or runs outside the transaction on a new connection (porsager/postgres#1208, #1215).
 */
import { Duplex } from 'node:stream'
import type { Sql } from 'postgres'

/** One generation of the client. */
export interface ClientGeneration {
  readonly sql: Sql
  /** Open, or being opened. */
  readonly connections: number
  /** Destroys its sockets, also those that are still connecting, and makes every later attempt to connect fail. */
  retire(): void
}

export class RenewableClient {
  readonly #make: () => ClientGeneration
  /** Stays the same; every call goes to the generation of the moment. */
  readonly sql: Sql
  #current: ClientGeneration

  constructor(make: () => ClientGeneration) {
    this.#make = make
    this.#current = make()
    this.sql = new Proxy(this.#current.sql, {
      apply: (_target, _receiver, args) => Reflect.apply(this.#current.sql, undefined, args),
      get: (_target, property) => Reflect.get(this.#current.sql, property),
    })
  }

  get connections(): number {
    return this.#current.connections
  }

  /** Calls that wait fail with CONNECTION_DESTROYED; the next call connects anew. */
  renew(): void {
    const old = this.#current
    this.#current = this.#make()
    old.retire()
    // What it still says is about sockets that are gone.
    old.sql.end({ timeout: 0 }).catch(() => {})
  }

  /** Waits for running calls, `timeoutMs` at most. Later calls fail with CONNECTION_ENDED. */
  async close(timeoutMs: number): Promise<void> {
    await this.#current.sql.end({ timeout: timeoutMs / 1000 })
    this.#current.retire()
  }
}

/** What a socket factory returns when it must not connect: the client hangs on one that throws. */
export function failingSocket(): Duplex {
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
  // Not before the client has put its listeners on.
  setImmediate(() => socket.destroy(Object.assign(new Error('the connection was given up'), { code: 'ECONNABORTED' })))
  return socket
}
