/** The backends of each configuration that a request may still go by, and how one set takes the place of another. */
import type { Step } from '../config/live-config.ts'
import type { Config } from '../config.ts'
import type { Discovered } from '../domain/catalog.ts'
import { Backend, type BackendConfig } from './backend.ts'
import { diffBackends } from './backend-difference.ts'
import type { GateChange } from './backend-events.ts'
import { type BackendState, type Watch, type WatchOptions, watchBackend } from './watch.ts'

/** Those of one configuration, by name. */
export type BackendSet = ReadonlyMap<string, Backend>

/** One that is no part of the configuration and stays. */
export interface OwnBackend {
  readonly name: string
  readonly config: BackendConfig
  /** Before that it is not called up; rejects where it cannot run. */
  readonly ready: Promise<unknown>
}

export interface BackendSetsOptions {
  readonly config: Config
  readonly own: OwnBackend | null
  readonly log: WatchOptions['log']
  readonly onDiscovered: (discovered: Discovered) => void
  /** What is known of a backend may have changed. */
  readonly onChange: (backend: Backend) => void
  readonly onGate: (backend: Backend, change: GateChange) => void
  /** This set is in force from now on; of these names what there was is gone. */
  readonly onInForce: (set: BackendSet, gone: readonly string[]) => void
  /** Fulfilled when every request that runs now has ended. */
  readonly afterRunning: () => Promise<void>
}

export class BackendSets {
  readonly #options: BackendSetsOptions
  readonly #former = new WeakMap<Config, BackendSet>()
  /** All that are not closed. */
  readonly #open = new Set<Backend>()
  readonly #watches = new Map<Backend, Watch>()
  readonly #own: Backend | null
  #config: Config
  #current: BackendSet = new Map()
  #isClosed = false

  constructor(options: BackendSetsOptions) {
    const { config, own } = options
    this.#options = options
    this.#config = config
    this.#own = own === null ? null : this.#make(own.name, own.config)
    this.#current = this.#build(config, new Map())
    options.onInForce(this.#current, [])
    for (const backend of this.#current.values()) this.#add(backend)
    own?.ready.then(
      () => this.#own === null || this.#watch(this.#own),
      // Whoever asks it for something is told why.
      () => undefined,
    )
  }

  /** Those that a request of this configuration goes to, also where there is a newer one. */
  of(config: Config): BackendSet {
    return this.#former.get(config) ?? this.#current
  }

  /**
   * The next set: what is configured as before stays the same object, with what is known of it. What is gone or has other
   * settings finishes what runs, for requests that began before, and is closed then.
   */
  prepare(next: Config): Step {
    const { added, changed, removed, kept } = diffBackends(this.#config.backends, next.backends)
    const keep = new Map(kept.flatMap(name => [[name, this.#current.get(name)] as const]))
    const set = this.#build(next, keep)
    const gone = [...removed, ...changed].flatMap(name => this.#current.get(name) ?? [])
    const commit = () => {
      this.#former.set(this.#config, this.#current)
      this.#config = next
      this.#current = set
      const fresh = [...added, ...changed].flatMap(name => set.get(name) ?? [])
      for (const backend of fresh) this.#add(backend)
      this.#retire(gone)
      this.#options.onInForce(set, [...removed, ...changed])
    }
    return { commit }
  }

  /** Fulfilled when each has been asked once, whatever it said. */
  async firstLook(): Promise<void> {
    await Promise.all([...this.#watches.values()].map(({ firstLook }) => firstLook))
  }

  /** What is known of each, by name. */
  states(): Readonly<Record<string, BackendState>> {
    const watched = [...this.#current.values()].flatMap(backend => this.#watches.get(backend) ?? [])
    return Object.fromEntries(watched.map(({ name, state }) => [name, state]))
  }

  /** Whether new requests go by it. */
  isInForce(backend: Backend): boolean {
    return this.#current.get(backend.name) === backend
  }

  stateOf(backend: Backend): BackendState {
    return this.#watches.get(backend)?.state ?? { kind: 'unknown' }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const watch of this.#watches.values()) watch.stop()
    await Promise.all([...this.#open].map(backend => backend.close()))
  }

  #build({ backends }: Config, keep: ReadonlyMap<string, Backend | undefined>): BackendSet {
    const set = new Map(
      Object.entries(backends).map(([name, config]) => [name, keep.get(name) ?? this.#make(name, config)]),
    )
    return this.#own === null ? set : set.set(this.#own.name, this.#own)
  }

  #make(name: string, config: BackendConfig): Backend {
    const onGate = (change: GateChange) => {
      this.#watches.get(made)?.lookNow()
      this.#options.onGate(made, change)
    }
    const onChange = () => this.#options.onChange(made)
    const onTurnsAway = () => this.#watches.get(made)?.lookNow()
    const former = this.#current.get(name) ?? null
    const made: Backend = new Backend(
      name,
      config,
      { onGate, onLetsIn: onChange, onKnown: onChange, onTurnsAway },
      former,
    )
    return made
  }

  #add(backend: Backend): void {
    backend.drain.configure(backend.config.drain)
    this.#open.add(backend)
    if (backend !== this.#own) this.#watch(backend)
  }

  #watch(backend: Backend): void {
    if (this.#isClosed) return
    const onDiscovered = (found: Discovered) => {
      // It may have been asked before it was replaced.
      if (this.isInForce(backend)) this.#options.onDiscovered(found)
    }
    const onChange = () => this.#options.onChange(backend)
    this.#watches.set(backend, watchBackend(backend, { log: this.#options.log, onDiscovered, onChange }))
  }

  #retire(gone: readonly Backend[]): void {
    if (gone.length === 0) return
    for (const backend of gone) {
      this.#watches.get(backend)?.stop()
      this.#watches.delete(backend)
    }
    const close = async () => {
      await this.#options.afterRunning()
      for (const backend of gone) {
        this.#open.delete(backend)
        await backend.close()
      }
    }
    close().catch(error => this.#options.log.warn({ err: error }, 'closing a backend failed'))
  }
}
