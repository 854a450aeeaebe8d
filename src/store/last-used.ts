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
  /** Whether the database is there; while it is not, nothing is tried. */
  readonly isReachable: () => boolean
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
    if (times.size === 0 || !this.#options.isReachable()) return
    this.#times = new Map()
    try {
      for (const publicId of await storeLastUsed(this.#options.sql, times)) this.#keep(publicId, times)
      this.#isFailing = false
    } catch (err) {
      if (!this.#isFailing) this.#options.log.warn({ err }, 'when keys were last used cannot be written; trying again')
      this.#isFailing = true
      for (const publicId of times.keys()) this.#keep(publicId, times)
    }
  }

  /** For the next time, unless it has been used again meanwhile. */
  #keep(publicId: string, times: ReadonlyMap<string, number>): void {
    if (!this.#times.has(publicId)) this.note(publicId, times.get(publicId) ?? 0)
  }
}

/** The last flush of a process must not hold up its end. */
const writeTimeoutMs = 2000

/**
 * One statement for all of them. A replica that comes late takes nothing back, and none waits for a row that another one
 * is changing, which could wait for this one: returns the ids that were passed over for that.
 */
async function storeLastUsed(sql: Sql, times: ReadonlyMap<string, number>): Promise<readonly string[]> {
  const used = [...times].map(([id, atMs]) => ({ id, seconds: atMs / 1000 }))
  const passedOver = await withDeadline(
    sql<{ id: string }[]>`
      with used as (
        select u.id, to_timestamp(u.seconds) as at
        from jsonb_to_recordset(${sql.json(used)}) as u (id text, seconds float8)
        join api_keys k on k.public_id = u.id
        where k.last_used_at is null or k.last_used_at < to_timestamp(u.seconds)
      ), free as (
        select public_id from api_keys where public_id in (select id from used) for update skip locked
      ), written as (
        update api_keys k set last_used_at = used.at from used
        where k.public_id = used.id and k.public_id in (select public_id from free)
      )
      select id from used where id not in (select public_id from free)`,
    writeTimeoutMs,
  )
  return passedOver.map(({ id }) => id)
}
