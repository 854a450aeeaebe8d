import type { LevelWithSilent } from 'pino'

/** The level of the log while it runs: as configured, unless somebody has asked for another one. */
export class LogLevel {
  readonly #log: { level: string }
  #configured: LevelWithSilent
  #asked: LevelWithSilent | null = null

  constructor(log: { level: string }, configured: LevelWithSilent) {
    this.#log = log
    this.#configured = configured
  }

  get configured(): LevelWithSilent {
    return this.#configured
  }

  get current(): LevelWithSilent {
    return this.#asked ?? this.#configured
  }

  /** The configuration says another one; what was asked for holds all the same. */
  configure(level: LevelWithSilent): void {
    this.#configured = level
    this.#log.level = this.current
  }

  /** Until it is asked again or the process ends; null is as configured. */
  ask(level: LevelWithSilent | null): void {
    this.#asked = level
    this.#log.level = this.current
  }
}
