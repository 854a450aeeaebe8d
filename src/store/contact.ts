/** Keeps in touch with the database: first contact, migrations, and from then on whether it answers. */
import type { Database } from './database.ts'
import { DatabaseUnavailableError, isUnavailable, withDeadline } from './deadline.ts'
import { ensureSchema, type MigrationPolicy, SchemaOutdatedError } from './ensure-schema.ts'

/** `connecting` until the schema is in place for the first time; `outdated` while that has to be done by somebody else. */
export type DatabaseState = 'connecting' | 'outdated' | 'ready' | 'down'

interface ContactLog {
  info(message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

const probeTimeoutMs = 1000
const migrateTimeoutMs = 120_000
const readyIntervalMs = 5000
const downIntervalMs = { first: 200, longest: 2000 } as const
/** A server that lets this many calls run out of time has gone without closing its connections. */
const silentCalls = 2

/** Whether a connection was lost or refused, as opposed to a call that ran out of time. */
function isClosed(error: unknown): boolean {
  return isUnavailable(error) && !(error instanceof DatabaseUnavailableError && error.cause === undefined)
}

export class DatabaseContact {
  readonly #database: Database
  readonly #log: ContactLog
  readonly #policy: MigrationPolicy
  readonly #first = Promise.withResolvers<void>()
  #state: DatabaseState = 'connecting'
  #hasSchema: boolean = false
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | null = null
  #isStopped: boolean = false

  /** Whether it may change the schema of a database that is not embedded. */
  constructor(database: Database, log: ContactLog, policy: MigrationPolicy) {
    this.#database = database
    this.#log = log
    this.#policy = database.isEmbedded ? 'always' : policy
    this.#first.promise.catch(() => {})
    this.#probeSoon()
  }

  /** Open or being opened; null where the database is in this process. */
  get connections(): number | null {
    return this.#database.connections
  }

  get state(): DatabaseState {
    return this.#state
  }

  /** Fulfilled when the database has answered for the first time and its schema is in place; rejected by stop(). */
  get firstContact(): Promise<void> {
    return this.#first.promise
  }

  /** Told by whoever made a call that failed, so that the next caller need not wait for the same. */
  reportFailure(error: unknown): void {
    if (!isUnavailable(error) || this.#state !== 'ready') return
    // One call that took too long says little: the probe will tell.
    if (isClosed(error)) this.#fail(error)
    this.#probeSoon()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#first.reject(new Error('stopped before the database answered'))
    // The client would wait for a connection that is still being made; there is nothing to lose in one.
    if (this.#state !== 'ready') this.#database.renew('closed')
    await this.#running
  }

  #probeSoon(): void {
    clearTimeout(this.#timer)
    this.#running ??= this.#probe().finally(() => {
      this.#running = null
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#isStopped) return
    const backoffMs = Math.min(downIntervalMs.first * 2 ** Math.max(0, this.#failures - 1), downIntervalMs.longest)
    const waitMs = { ready: readyIntervalMs, outdated: downIntervalMs.longest, connecting: backoffMs, down: backoffMs }
    this.#timer = setTimeout(() => this.#probeSoon(), waitMs[this.#state])
  }

  async #probe(): Promise<void> {
    try {
      if (this.#hasSchema) await withDeadline(this.#database.sql`select 1`, probeTimeoutMs)
      else await this.#makeFirstContact()
      if (this.#state !== 'ready') this.#log.info('the database answers')
      this.#state = 'ready'
      this.#failures = 0
      // Whoever has waited for it finds the database ready.
      this.#first.resolve()
    } catch (error) {
      if (this.#isStopped) return
      if (error instanceof SchemaOutdatedError) this.#await(error)
      else this.#fail(error)
    }
  }

  async #makeFirstContact(): Promise<void> {
    const { sql, isEmbedded } = this.#database
    // The embedded one is first made now, in up to ten seconds on a slow machine.
    await withDeadline(sql`select 1`, isEmbedded ? migrateTimeoutMs : probeTimeoutMs)
    const { applied, unknown } = await withDeadline(ensureSchema(sql, this.#policy), migrateTimeoutMs)
    if (applied.length > 0) this.#log.info(`the database has a new schema: ${applied.join(', ')}`)
    if (unknown.length > 0)
      this.#log.info(`the database has the schema of a newer version, which this one can use: ${unknown.join(', ')}`)
    this.#hasSchema = true
  }

  #fail(error: unknown): void {
    this.#failures += 1
    // Said once per change, or every two seconds of an outage would be a line.
    if (this.#failures === 1) {
      if (isUnavailable(error)) this.#log.warn({ err: error }, 'the database is down; trying again')
      else this.#log.error({ err: error }, 'the database answers with an error; trying again')
    }
    if (this.#hasSchema) this.#state = 'down'
    if (isClosed(error)) this.#database.renew('closed')
    else if (isUnavailable(error) && this.#failures >= silentCalls) this.#database.renew('silent')
  }

  /** It answers, and looks again whether somebody has brought it to the schema. */
  #await(error: SchemaOutdatedError): void {
    if (this.#state !== 'outdated') this.#log.error({ err: error }, 'the database waits for a migration; looking again')
    this.#state = 'outdated'
    this.#failures = 0
  }
}
