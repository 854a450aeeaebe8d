/** When each key was last used: noted in memory on the way, written to the database now and then. */
import type { Sql } from 'postgres'
import { withDeadline } from './deadline.ts'

interface LastUsedLog {
  warn(details: object, message: string): void
}

export interface LastUsedOptions {
  readonly sql: Sql
  readonly log: LastUsedLog
  readonly intervalMs: number
}

/** As many keys as can be known at a time. What is beyond is noted at a later use. */
const maxKeys = 50_000

export class LastUsed {
  readonly #options: LastUsedOptions
  readonly #timer: NodeJS.Timeout
  #times = new Map<string, number>()
  #writing: Promise<void> = Promise.resolve()
  #isFailing: boolean = false

  constructor(options: LastUsedOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.flush(), options.intervalMs)
    this.#timer.unref()
  }

  /** Costs one entry of a map. */
  note(publicId: string, nowMs: number): void {
    if (this.#times.size < maxKeys || this.#times.has(publicId)) this.#times.set(publicId, nowMs)
  }

  /** Writes what was noted; what cannot be written is kept for the next time. Never rejects. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** The last flush, when the database is about to be closed. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }

  async #write(): Promise<void> {
    const times = this.#times
    if (times.size === 0) return
    this.#times = new Map()
    try {
      await storeLastUsed(this.#options.sql, times)
      this.#isFailing = false
    } catch (err) {
      if (!this.#isFailing) this.#options.log.warn({ err }, 'when keys were last used cannot be written; trying again')
      this.#isFailing = true
      for (const [publicId, atMs] of times) if (!this.#times.has(publicId)) this.note(publicId, atMs)
    }
  }
}

/** One statement for all of them. A replica that comes late takes nothing back. */
async function storeLastUsed(sql: Sql, times: ReadonlyMap<string, number>): Promise<void> {
  const seconds = [...times.values()].map(atMs => atMs / 1000)
  await withDeadline(sql`
    update api_keys k set last_used_at = greatest(k.last_used_at, to_timestamp(used.seconds))
    from unnest(${[...times.keys()]}::text[], ${seconds}::float8[]) as used (public_id, seconds)
    where k.public_id = used.public_id`)
}
