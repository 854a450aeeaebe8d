/** The configuration as it is now: read again when asked to, checked as a whole, and exchanged in one turn or not at all. */
import { hash } from 'node:crypto'
import { basename } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Config, LoadedConfig } from '../config.ts'
import { changedKeys } from './difference.ts'
import { ConfigError, type Problem, problemIn } from './problem.ts'
import { withReloadable } from './reloadable.ts'

/** What somebody who holds something made of the configuration has made of the next one. */
export interface Step {
  /** Puts it in the place of what there was; may neither throw nor wait. */
  readonly commit?: () => void
  /** Keys that it cannot follow without a restart. */
  readonly needsRestart?: readonly string[]
}

/** Makes everything new that the next configuration needs. A ConfigError refuses it; then nobody commits. */
export type Prepare = (next: Config) => Step

export type ReloadOutcome =
  | {
      readonly kind: 'applied' | 'unchanged'
      /** Keys of weir.yaml whose values are others now. */
      readonly changed: readonly string[]
      /** Keys whose values are others in the file, but not here before a restart. */
      readonly needsRestart: readonly string[]
      readonly warnings: readonly string[]
    }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }
  | { readonly kind: 'failed'; readonly error: unknown }

/** Why it was read again, in a word or two for the log; several asked while another reload ran. */
export type Causes = ReadonlySet<string>

export interface LiveConfigOptions {
  readonly loaded: LoadedConfig
  /** Reads it from the same places; throws a ConfigError. */
  readonly read: () => LoadedConfig
}

export class LiveConfig {
  readonly #read: () => LoadedConfig
  /** That was read at the start, as an absolute path. */
  readonly file: string | null
  #current: Config
  #digest: string | null
  readonly #holders: Prepare[] = []
  readonly #listeners: ((outcome: ReloadOutcome, causes: Causes) => void)[] = []
  #running: Promise<ReloadOutcome> | null = null
  /** The one reload that comes after it, for all who have asked meanwhile. */
  #next: { readonly causes: Set<string>; readonly outcome: Promise<ReloadOutcome> } | null = null
  #isClosed = false

  constructor({ loaded, read }: LiveConfigOptions) {
    this.#read = read
    this.file = loaded.file
    this.#current = loaded.config
    this.#digest = loaded.digest
  }

  /** A request does not ask for it again and again, but goes by one to its end: getConfiguration of its plugin. */
  get current(): Config {
    return this.#current
  }

  /** SHA-256 of the file that was taken last, in hex; null where there was none. */
  get digest(): string | null {
    return this.#digest
  }

  /** Adds somebody who holds something made of the configuration. */
  onReload(prepare: Prepare): void {
    this.#holders.push(prepare)
  }

  /** What is made of the configuration; made of the next one before that counts. */
  derive<Made>(make: (config: Config) => Made): () => Made {
    let made = make(this.#current)
    this.onReload(next => {
      const later = make(next)
      const commit = () => {
        made = later
      }
      return { commit }
    })
    return () => made
  }

  /** Adds somebody who is told what became of each reload. */
  onOutcome(listener: (outcome: ReloadOutcome, causes: Causes) => void): void {
    this.#listeners.push(listener)
  }

  /**
   * Reads everything again, one after the other: who asks while one runs shares the next, since the file may have changed
   * after it was read. Never rejects.
   */
  reload(cause: string): Promise<ReloadOutcome> {
    if (this.#running === null) return this.#begin(new Set([cause]))
    if (this.#next === null) {
      const causes = new Set<string>()
      const begin = () => {
        this.#next = null
        return this.#begin(causes)
      }
      this.#next = { causes, outcome: this.#running.then(begin) }
    }
    this.#next.causes.add(cause)
    return this.#next.outcome
  }

  /** From now on nothing is read any more. */
  close(): void {
    this.#isClosed = true
  }

  #begin(causes: Causes): Promise<ReloadOutcome> {
    const running = this.#run().then(outcome => {
      for (const listener of this.#listeners) listener(outcome, causes)
      // Whoever waits for the next one takes its place by themselves, right after this.
      if (this.#next === null) this.#running = null
      return outcome
    })
    this.#running = running
    return running
  }

  async #run(): Promise<ReloadOutcome> {
    // A turn of its own, so that no chain of promises that is under way sees the one half before and the other after it.
    await nextTurn()
    try {
      if (this.#isClosed) throw new Error('the server is stopping')
      const loaded = this.#read()
      if (this.file !== null) this.#refuseLost(this.file, loaded)
      return this.#exchange(loaded)
    } catch (error) {
      return error instanceof ConfigError ? { kind: 'refused', problems: error.problems } : { kind: 'failed', error }
    }
  }

  /** With the defaults in its place every backend would be gone: nobody means that by a file that is missing or cut short. */
  #refuseLost(path: string, { file, digest }: LoadedConfig): void {
    const problem =
      file === null ? 'is gone' : digest === emptyDigest && this.#digest !== emptyDigest ? 'is empty now' : null
    if (problem === null) return
    const fix = 'Put it back; to run without one, restart.'
    throw new ConfigError([
      problemIn(basename(path), [], { problem: `The file that was read at the start ${problem}.`, fix }),
    ])
  }

  #exchange({ config: read, warnings, digest }: LoadedConfig): ReloadOutcome {
    const next = withReloadable(this.#current, read)
    const changed = changedKeys(this.#current, next)
    const steps = this.#holders.map(prepare => prepare(next))
    const needsRestart = [...changedKeys(next, read), ...steps.flatMap(step => step.needsRestart ?? [])]
    this.#digest = digest
    if (changed.length === 0) return { kind: 'unchanged', changed, needsRestart, warnings }
    this.#current = next
    for (const step of steps) step.commit?.()
    return { kind: 'applied', changed, needsRestart, warnings }
  }
}

const emptyDigest = hash('sha256', '')
