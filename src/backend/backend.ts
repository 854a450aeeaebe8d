import { buildConnector, Client, Pool } from 'undici'
import type { Resolved } from '../config/resolved.ts'
import type { Discovered, Target } from '../domain/catalog.ts'
import type { BackendFile } from '../schemas/config/backends.ts'
import { Attempt, type AttemptSink } from './attempt.ts'
import type { Call } from './call.ts'
import { type Engine, getEngine } from './engine.ts'
import { EngineProbe } from './engine-probe.ts'
import type { Fault } from './fault.ts'
import { KeptConnection } from './kept-connection.ts'
import { PromptCounter } from './prompt-counter.ts'

export type BackendConfig = Resolved<BackendFile>

/** A probe that takes longer says nothing: under a burst llama-server answers probes after seconds. */
const probeTimeoutMs = 5000

export interface BackendRequest {
  readonly path: string
  readonly body: Buffer
  readonly stream: boolean
}

/** What can be done to a request that is under way. */
export type AttemptHandle = Pick<Attempt, 'abort' | 'pause' | 'resume' | 'contentBegan' | 'answered'>

/** One inference server: its connections, and what is known about it. */
export class Backend {
  readonly name: string
  readonly config: BackendConfig
  readonly #origin: string
  readonly #pathPrefix: string
  readonly #headers: Record<string, string>
  readonly #probe: EngineProbe
  readonly #probeClient: Client
  readonly #counter: PromptCounter
  #kept: Pool | null = null
  #fresh: Pool | null = null
  #engine: Engine | null
  #detection: Promise<Engine> | null = null
  #inFlight = 0
  /** Requests it runs at once, configured or asked of it; null while unknown. */
  slots: number | null

  constructor(name: string, config: BackendConfig) {
    this.name = name
    this.config = config
    const url = new URL(config.url)
    this.#origin = url.origin
    this.#pathPrefix = url.pathname.replace(/\/$/, '')
    // Only these go out: nothing of the caller's headers is forwarded.
    this.#headers = {
      'content-type': 'application/json',
      accept: '*/*',
      'accept-encoding': 'identity',
      'user-agent': 'weir',
      ...(config.apiKey === undefined ? {} : { authorization: `Bearer ${config.apiKey}` }),
    }
    const { 'content-type': _none, ...probeHeaders } = this.#headers
    this.#probeClient = new Client(this.#origin, {
      allowH2: false,
      keepAliveTimeout: 1000,
      connect: { timeout: config.timeouts.connectMs },
    })
    this.#probe = new EngineProbe(this.#probeClient, this.#pathPrefix, probeHeaders, probeTimeoutMs)
    this.#counter = new PromptCounter({ origin: this.#origin, pathPrefix: this.#pathPrefix, headers: this.#headers })
    this.#engine = config.engine === 'auto' ? null : getEngine(config.engine)
    this.slots = config.slots ?? null
  }

  /** What kind of server it is, or null while `auto` has not been answered yet. */
  get engine(): Engine | null {
    return this.#engine
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** What kind of server it is; asks it if need be, once for all who wait. Throws a Fault. */
  async getEngine(): Promise<Engine> {
    if (this.#engine !== null) return this.#engine
    this.#detection ??= this.#probe
      .detect()
      .then(getEngine)
      .finally(() => {
        this.#detection = null
      })
    this.#engine = await this.#detection
    return this.#engine
  }

  /** The models it offers, and its slots where it tells. Throws a Fault. */
  async discover(): Promise<Discovered> {
    const engine = await this.getEngine()
    if (engine.name === 'llama-server' && this.config.slots === undefined) this.slots = await this.#probe.slots()
    return { backend: this.name, models: await this.#probe.models() }
  }

  /**
   * The tokens of the call's prompt as this server counts them, for the target that is on it. Null where it does not say
   * within half a second, for whatever reason: see PromptCounter. Never rejects.
   */
  async countPrompt(call: Call, target: Target, signal: AbortSignal): Promise<number | null> {
    return this.#engine === null ? null : this.#counter.count(call, { engine: this.#engine, target }, signal)
  }

  /**
   * Sends one request. `path` is below the backend's URL, such as `/v1/chat/completions`. Where the server had closed an
   * idle connection under us, the request is sent once more on a fresh one: nothing of it had been answered.
   */
  attempt(engine: Engine, { path, body, stream }: BackendRequest, sink: AttemptSink): AttemptHandle {
    const { firstTokenMs, idleMs, totalMs } = this.config.timeouts
    const closeAfter = stream && engine.closesAfterStream
    const request = {
      path: this.#pathPrefix + path,
      headers: this.#headers,
      body,
      stream,
      stopsWithClient: engine.stopsWithClient,
      timeouts: { firstTokenMs, idleMs, totalMs },
    }
    this.#inFlight++
    let isUnderWay = true
    const leave = () => {
      if (isUnderWay) this.#inFlight--
      isUnderWay = false
    }
    const outcome = {
      onSent: () => sink.onSent(),
      onData: (chunk: Buffer) => sink.onData(chunk),
      onEnd: () => {
        leave()
        sink.onEnd()
      },
      onFault: (fault: Fault) => {
        leave()
        sink.onFault(fault)
      },
    }
    let current = new Attempt(
      this.#connections(engine, closeAfter),
      { ...request, closeAfter },
      {
        ...outcome,
        onFault: fault => {
          if (!fault.details.staleConnection) return outcome.onFault(fault)
          current = new Attempt(this.#connections(engine, true), { ...request, closeAfter: true }, outcome)
        },
      },
    )
    return {
      abort: fault => current.abort(fault),
      pause: () => current.pause(),
      resume: () => current.resume(),
      contentBegan: () => current.contentBegan(),
      answered: () => {
        leave()
        current.answered()
      },
    }
  }

  async close(): Promise<void> {
    await Promise.all([
      this.#probeClient.destroy(),
      this.#counter.close(),
      this.#kept?.destroy(),
      this.#fresh?.destroy(),
    ])
  }

  /**
   * Connections that are kept, or fresh ones that carry one request each. No bound on either: a pool smaller than the
   * number of streams queues them silently, and how many may run is admission's to say.
   */
  #connections(engine: Engine, fresh: boolean): Pool {
    const pool = fresh ? this.#fresh : this.#kept
    if (pool !== null) return pool
    const connect = buildConnector({ timeout: this.config.timeouts.connectMs, noDelay: true, allowH2: false })
    const options = {
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: engine.idleConnectionMs,
      keepAliveMaxTimeout: engine.idleConnectionMs,
    }
    const made = new Pool(this.#origin, {
      connections: null,
      allowH2: false,
      factory: origin => new KeptConnection(origin, options, connect),
    })
    if (fresh) this.#fresh = made
    else this.#kept = made
    return made
  }
}
