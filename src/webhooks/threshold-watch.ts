import type { Sql } from 'postgres'
import type { Config } from '../config.ts'
import type { UsageEvent } from '../domain/usage-event.ts'
import { DatabaseUnavailableError, isUnavailable } from '../store/deadline.ts'
import type { Spender } from '../store/period-usage.ts'
import { Suspects, type Suspicion } from './suspects.ts'
import { Sweep } from './sweep.ts'
import { ThresholdLook } from './threshold-look.ts'
import { UsageMarks } from './usage-marks.ts'

export interface WatchOptions {
  readonly sql: Sql
  /** Whether the database can be asked now. */
  readonly isReachable: () => boolean
  readonly config: () => Pick<Config, 'webhooks' | 'tiers' | 'auth'>
  /** Something new is to be delivered. */
  readonly onNotice: () => void
  /** A look has failed though the database is there. */
  readonly onFailedLook: () => void
  readonly log: { warn(details: object, message: string): void }
  readonly times?: WatchTimes
}

export interface WatchTimes {
  /** From one look to the next, at the least: so seldom an account is asked about. */
  readonly paceMs: number
  /** From one look at everybody to the next. */
  readonly sweepMs: number
  /** After a look that failed. */
  readonly retryMs: number
}

const defaultTimes: WatchTimes = { paceMs: 1000, sweepMs: 3_600_000, retryMs: 10_000 }
const maxMarks = 10_000
const spendersAtOnce = 100
/** At most a fifth of one connection's time goes into looking. */
const pauseShare = 4
const patience = 3
/** What fails all the time is said so often. */
const warningMs = 600_000

/**
 * Finds out who has reached a threshold, beside the request path: of those whose usage has just been stored, and now and then
 * of everybody, since a process that is killed between storing and looking has looked at nobody.
 */
export class ThresholdWatch {
  readonly #options: WatchOptions
  readonly #times: WatchTimes
  readonly #look: ThresholdLook
  readonly #marks = new UsageMarks(maxMarks)
  readonly #suspects: Suspects
  readonly #sweep = new Sweep()
  #failedPages = 0
  /** How often the database went away without being away afterwards. */
  #outages = 0
  #warnedAtMs = Number.NEGATIVE_INFINITY
  #isStopped: boolean = false
  #timer: NodeJS.Timeout | undefined
  /** For those who wait for a long time, whom nobody else is to wait for. */
  #idleTimer: NodeJS.Timeout | undefined
  readonly #hourly: NodeJS.Timeout
  #running: Promise<void> | null = null

  constructor(options: WatchOptions) {
    this.#options = options
    this.#times = options.times ?? defaultTimes
    this.#look = new ThresholdLook(options)
    this.#suspects = new Suspects(maxMarks, this.#times.retryMs)
    this.#hourly = setInterval(() => this.sweep(), this.#times.sweepMs)
    this.#hourly.unref()
  }

  /** These events have been stored. */
  mark(events: readonly UsageEvent[]): void {
    if (!this.#isNeeded) return
    if (!this.#marks.markEvents(events)) this.#sweep.ask()
    this.#schedule(0)
  }

  /** Everybody is to be looked at: today's and yesterday's usage, and that of their months. */
  sweep(): void {
    if (!this.#isNeeded) return
    this.#sweep.ask()
    this.#schedule(0)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#hourly)
    clearTimeout(this.#timer)
    clearTimeout(this.#idleTimer)
    await this.#running
  }

  get #isNeeded(): boolean {
    return Object.keys(this.#options.config().webhooks).length > 0
  }

  get #isDue(): boolean {
    const suspectsAtMs = this.#suspects.dueAtMs
    return !this.#marks.isEmpty || this.#sweep.isDue || (suspectsAtMs !== null && suspectsAtMs <= performance.now())
  }

  #schedule(waitMs: number): void {
    if (this.#isStopped || this.#timer !== undefined || this.#running !== null) return
    this.#timer = setTimeout(() => this.#run(), waitMs)
    this.#timer.unref()
  }

  #run(): void {
    this.#timer = undefined
    clearTimeout(this.#idleTimer)
    const beganAt = performance.now()
    this.#running = this.#work().then(isDone => {
      this.#running = null
      this.#rest(isDone ? this.#pauseAfter(beganAt) : this.#times.retryMs)
    })
  }

  /** Whoever is marked meanwhile waits as well. */
  #rest(waitMs: number): void {
    if (this.#isStopped) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#isDue) return this.#run()
      if (this.#suspects.dueAtMs === null) return
      this.#idleTimer = setTimeout(() => this.#schedule(0), this.#suspects.dueAtMs - performance.now())
      this.#idleTimer.unref()
    }, waitMs)
    this.#timer.unref()
  }

  #pauseAfter(beganAt: number): number {
    return Math.max(this.#times.paceMs, pauseShare * (performance.now() - beganAt))
  }

  /** Until something fails: whether nothing did. What nobody is to wait for comes last. */
  async #work(): Promise<boolean> {
    if (!this.#options.isReachable()) {
      this.#outages = 0
      return false
    }
    return (await this.#lookAt(this.#marks.take())) && (await this.#lookAtEverybody()) && (await this.#lookAtSuspects())
  }

  async #lookAt(marked: readonly Spender[]): Promise<boolean> {
    const spenders = marked.filter(spender => !this.#suspects.has(spender))
    for (let at = 0; at < spenders.length && !this.#isStopped; at += spendersAtOnce) {
      const outcome = await this.#try({ spenders: spenders.slice(at, at + spendersAtOnce), failures: 0 })
      if (outcome === 'done') continue
      this.#markAgain(spenders.slice(outcome === 'outage' ? at : at + spendersAtOnce))
      return false
    }
    return true
  }

  async #lookAtEverybody(): Promise<boolean> {
    const { sql, config } = this.#options
    while (this.#sweep.isDue && !this.#isStopped) {
      let page: readonly Spender[]
      try {
        page = await this.#sweep.nextPage(sql, config())
      } catch (err) {
        if (!this.#isOutage(err)) this.#tellFailure(err, { isAgain: this.#failedPages > 0, spenders: [] })
        this.#failedPages += 1
        return false
      }
      this.#failedPages = 0
      if (!(await this.#lookAt(page))) return false
    }
    return true
  }

  async #lookAtSuspects(): Promise<boolean> {
    while (!this.#isStopped) {
      const suspicion = this.#suspects.take(performance.now())
      if (suspicion === undefined) break
      const outcome = await this.#try(suspicion)
      if (outcome === 'outage') this.#suspects.putBack(suspicion, performance.now())
      if (outcome !== 'done') return false
    }
    return true
  }

  /** Those of whom it is not known whose fault it was that it failed are suspects. */
  async #try({ spenders, failures }: Suspicion): Promise<'done' | 'failed' | 'outage'> {
    try {
      await this.#look.at(spenders)
      return 'done'
    } catch (err) {
      if (this.#isOutage(err)) return 'outage'
      this.#tellFailure(err, { isAgain: failures > 0, spenders })
      if (!this.#suspects.add({ spenders, failures: failures + 1 }, performance.now())) this.#sweep.ask()
      return 'failed'
    }
  }

  /** What makes the database go away again and again, though it always comes back, is the fault of what it was asked. */
  #isOutage(err: unknown): boolean {
    if (!seemsAway(err)) return false
    this.#outages = (this.#outages + 1) % patience
    return this.#outages > 0
  }

  #markAgain(spenders: readonly Spender[]): void {
    if (!this.#marks.markAll(spenders)) this.#sweep.ask()
  }

  #tellFailure(err: unknown, { isAgain, spenders }: { isAgain: boolean; spenders: readonly Spender[] }): void {
    this.#options.onFailedLook()
    // Too slow once is nothing yet.
    if (isUnavailable(err) && !isAgain) return
    if (performance.now() - this.#warnedAtMs < warningMs) return
    this.#warnedAtMs = performance.now()
    const [alone = null] = spenders.length === 1 ? spenders : []
    const whose = { together: spenders.length, accountId: alone?.accountId ?? null }
    this.#options.log.warn({ err, ...whose }, 'webhooks: thresholds cannot be looked for; trying again')
  }
}

/** The database is there, and what it was asked was too much: a timeout of the server's, its memory, another bound of it. */
const tooMuch = ['57014', '53200', '53400']

/** Whether the database is away, by the looks of it. Whoever keeps in touch with it says so. */
function seemsAway(err: unknown): boolean {
  if (!isUnavailable(err)) return false
  const cause = err instanceof DatabaseUnavailableError ? err.cause : err
  // Without a cause it is our own deadline.
  if (cause === undefined) return false
  return !(cause instanceof Error && 'code' in cause && typeof cause.code === 'string' && tooMuch.includes(cause.code))
}
