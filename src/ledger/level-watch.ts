import { type LedgerLevel, type LedgerMarks, nextLevel } from './ledger-level.ts'

const lookAfterMs = 1000

export interface LevelWatchOptions {
  readonly marks: LedgerMarks
  /** Called before each look at the disk. */
  readonly onLook: () => Promise<void>
  readonly freeBytes: () => Promise<number>
  readonly spoolBytes: () => number
  /** Why nothing can be written, null while it can. */
  readonly blockage: () => string | null
  readonly onChange: (level: LedgerLevel, reason: string) => void
}

/** The level as it is now; what is free on the disk is looked at once a second, since others write there too. */
export class LevelWatch {
  readonly #options: LevelWatchOptions
  readonly #timer: NodeJS.Timeout
  #freeBytes: number | null = null
  #level: LedgerLevel = 'ok'

  constructor(options: LevelWatchOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.look(), lookAfterMs)
    this.#timer.unref()
  }

  get level(): LedgerLevel {
    return this.#level
  }

  /** Asks the disk. */
  async look(): Promise<void> {
    await this.#options.onLook()
    this.#freeBytes = await this.#options.freeBytes().catch(() => null)
    this.update()
  }

  /** Goes by what is known. */
  update(): void {
    const { marks, spoolBytes, blockage, onChange } = this.#options
    const blocked = blockage()
    const room = { spoolBytes: spoolBytes(), freeBytes: this.#freeBytes }
    const [level, reason] = blocked === null ? nextLevel(marks, room, this.#level) : (['full', blocked] as const)
    if (level === this.#level) return
    this.#level = level
    onChange(level, reason)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
