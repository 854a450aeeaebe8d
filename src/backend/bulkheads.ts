import type { Server } from './admission.ts'
import { Bulkhead } from './bulkhead.ts'

/** Those of all servers, by their ids: what runs on one does so by whichever settings it was sent there. */
export class Bulkheads {
  readonly #byId = new Map<string, Bulkhead>()
  readonly #nowMs: () => number
  /** Null as long as nobody has said which are. */
  #inForce: ReadonlyMap<string, Server> | null = null

  /** `nowMs`: a monotonic clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  find(id: string): Bulkhead | undefined {
    return this.#byId.get(id)
  }

  of(server: Server): Bulkhead {
    const { id } = server
    const known = this.#byId.get(id)
    if (known !== undefined) return known
    const made = new Bulkhead(this.#inForce?.get(id) ?? server, this.#nowMs)
    this.#byId.set(id, made)
    return made
  }

  /** These are in force from now on; answers with the bulkheads that go on by them. */
  use(servers: Iterable<Server>): readonly Bulkhead[] {
    const inForce = new Map(Array.from(servers, server => [server.id, server]))
    this.#inForce = inForce
    const changed: Bulkhead[] = []
    for (const [id, bulkhead] of this.#byId) {
      const next = inForce.get(id)
      if (next === undefined) this.forgetIdle(bulkhead)
      else {
        bulkhead.server = next
        changed.push(bulkhead)
      }
    }
    return changed
  }

  /** Of one that is not in force any more nothing is remembered, once nothing runs there and nobody waits. */
  forgetIdle({ id, inFlight, queue }: Bulkhead): void {
    if (this.#inForce?.has(id) === false && inFlight === 0 && queue.size === 0) this.#byId.delete(id)
  }
}
