import { buildConnector, Pool } from 'undici'
import type { Engine } from './engine.ts'
import { KeptConnection } from './kept-connection.ts'

/** The connections to one backend, made when they are needed first. */
export class Connections {
  readonly #origin: string
  readonly #connectMs: number
  #kept: Pool | null = null
  #fresh: Pool | null = null

  constructor(origin: string, connectMs: number) {
    this.#origin = origin
    this.#connectMs = connectMs
  }

  /**
   * Connections that are kept, or fresh ones that carry one request each. No bound on either: a pool smaller than the
   * number of streams queues them silently, and how many may run is admission's to say.
   */
  pool(engine: Engine, fresh: boolean): Pool {
    const known = fresh ? this.#fresh : this.#kept
    if (known !== null) return known
    const connect = buildConnector({ timeout: this.#connectMs, noDelay: true, allowH2: false })
    const options = {
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: engine.idleConnectionMs,
      keepAliveMaxTimeout: engine.idleConnectionMs,
    }
    const made = new Pool(this.#origin, {
      connections: null,
      allowH2: false,
      factory: origin => new KeptConnection(origin, options, connect),
    })
    if (fresh) this.#fresh = made
    else this.#kept = made
    return made
  }

  async close(): Promise<void> {
    await Promise.all([this.#kept?.destroy(), this.#fresh?.destroy()])
  }
}
