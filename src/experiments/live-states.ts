import { type ExperimentState, initialState } from '../domain/experiment.ts'
import { isUnavailable } from '../store/deadline.ts'
import type { StoredExperiment } from '../store/experiment-states.ts'

interface StatesLog {
  warn(details: object, message: string): void
}

export interface LiveStatesOptions {
  /** All that the database has. Rejects when it cannot say. */
  readonly load: () => Promise<readonly StoredExperiment[]>
  /** Whether there is any experiment to ask about. */
  readonly isNeeded: () => boolean
  readonly log: StatesLog
  readonly times?: LiveStatesTimes
}

interface LiveStatesTimes {
  /** From one look to the next, for what nobody has told us of. */
  readonly intervalMs: number
  /** The same after one that failed. */
  readonly retryMs: number
}

/** A change is known everywhere within five seconds, also where the message about it was lost or there is no Redis. */
const defaultTimes: LiveStatesTimes = { intervalMs: 4000, retryMs: 500 }

/** The states of experiments as the database has them, kept fresh; the last ones stay while it is away. */
export class LiveStates {
  readonly #options: LiveStatesOptions
  readonly #times: LiveStatesTimes
  #states = new Map<string, StoredExperiment>()
  #isKnown: boolean = false
  #isFailing: boolean = false
  #isStopped: boolean = false
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | null = null
  #isOutdated: boolean = false

  constructor(options: LiveStatesOptions) {
    this.#options = options
    this.#times = options.times ?? defaultTimes
    this.#schedule()
  }

  /** Null as long as the database has never been read: it may have ended by now. */
  find(name: string): ExperimentState | null {
    return this.#isKnown ? (this.#states.get(name)?.state ?? initialState) : null
  }

  /** A change that was made here. An older one than is known says nothing new. */
  note(changed: StoredExperiment): void {
    const known = this.#states.get(changed.name)
    if (known === undefined || known.updatedAt <= changed.updatedAt) this.#states.set(changed.name, changed)
  }

  /** Reads them again, where there is anything to know; after the look that is under way, if there is one. */
  look(): void {
    this.#isOutdated = this.#options.isNeeded()
    if (!this.#isOutdated) this.#schedule()
    else
      this.#running ??= this.#read().finally(() => {
        this.#running = null
        this.#schedule()
      })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#isStopped) return
    const isDue = this.#isFailing || !this.#isKnown
    this.#timer = setTimeout(() => this.look(), isDue ? this.#times.retryMs : this.#times.intervalMs)
    this.#timer.unref()
  }

  async #read(): Promise<void> {
    while (this.#isOutdated && !this.#isStopped) {
      this.#isOutdated = false
      try {
        for (const state of await this.#options.load()) this.note(state)
        this.#isKnown = true
        this.#isFailing = false
      } catch (err) {
        // An outage is said by whoever keeps in touch with the database.
        if (!this.#isFailing && !isUnavailable(err)) {
          this.#options.log.warn({ err }, 'the states of experiments cannot be read; trying again')
        }
        this.#isFailing = true
      }
    }
  }
}
