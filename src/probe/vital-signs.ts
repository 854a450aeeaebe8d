/** What the main thread says of itself, in memory that the thread of the probes sees as well. */

/** What a process says when it is asked whether it should get traffic; only `ready` is a yes. */
export const verdicts = ['starting', 'ready', 'degraded', 'stopping'] as const
export type Verdict = (typeof verdicts)[number]

const beatCell = 0
const verdictCell = 1

export class VitalSigns {
  /** To be handed to another thread, which builds the same on it. */
  readonly memory: SharedArrayBuffer
  readonly #cells: BigInt64Array

  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT)
    this.#cells = new BigInt64Array(this.memory)
    if (memory === undefined) this.beat()
  }

  /** Milliseconds since the last beat. */
  get ageMs(): number {
    // Threads count from different beginnings in performance.now(), but have this clock in common.
    return Number(process.hrtime.bigint() - Atomics.load(this.#cells, beatCell)) / 1e6
  }

  get verdict(): Verdict {
    return verdicts[Number(Atomics.load(this.#cells, verdictCell))] ?? 'starting'
  }

  set verdict(verdict: Verdict) {
    Atomics.store(this.#cells, verdictCell, BigInt(verdicts.indexOf(verdict)))
  }

  beat(): void {
    Atomics.store(this.#cells, beatCell, process.hrtime.bigint())
  }
}
