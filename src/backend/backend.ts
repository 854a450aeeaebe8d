import { Client } from 'undici'
import type { Resolved } from '../config/resolved.ts'
import type { Discovered, Target } from '../domain/catalog.ts'
import { RetryBudget } from '../domain/retry.ts'
import type { BackendFile } from '../schemas/config/backends.ts'
import type { EndpointName } from '../schemas/config/models.ts'
import type { Server } from './admission.ts'
import { Attempt, type AttemptSink } from './attempt.ts'
import type { BackendEvents } from './backend-events.ts'
import type { Call } from './call.ts'
import { Connections } from './connections.ts'
import { Drain } from './drain.ts'
import { type Engine, getEngine } from './engine.ts'
import { EngineProbe } from './engine-probe.ts'
import type { Fault } from './fault.ts'
import { Gate } from './gate.ts'
import { PromptCounter } from './prompt-counter.ts'
import { Standing } from './standing.ts'

export type BackendConfig = Resolved<BackendFile>

/** A probe that takes longer says nothing: under a burst llama-server answers probes after seconds. */
const probeTimeoutMs = 5000

export interface BackendRequest {
  readonly path: string
  readonly body: Buffer
  readonly stream: boolean
  /** Of its trace, where it has one; nothing else of the caller's is sent on. */
  readonly traceHeaders: Readonly<Record<string, string>> | undefined
  /** What is left of the request's own time, in milliseconds; see AttemptTimeouts. */
  readonly leftMs: () => number
}

/** What can be done to a request that is under way. */
export type AttemptHandle = Pick<Attempt, 'abort' | 'pause' | 'resume' | 'contentBegan' | 'answered'>

/** One inference server: its connections, and what is known about it. */
export class Backend implements Server {
  readonly name: string
  /** Names may share a server, each with slots of its own; one that is elsewhere from now on is another one. */
  readonly id: string
  readonly config: BackendConfig
  readonly #origin: string
  readonly #pathPrefix: string
  readonly #headers: Record<string, string>
  readonly #probe: EngineProbe
  readonly #probeClient: Client
  readonly #counter: PromptCounter
  readonly #connections: Connections
  readonly standing: Standing
  #detection: Promise<Engine> | null = null
  /** How often what has failed here may be tried again. */
  readonly retries = new RetryBudget()
  readonly #gates = new Map<EndpointName, Gate>()
  readonly #events: BackendEvents
  readonly drain: Drain

  /** `former`: what had its name before. What an operator has said of that holds, and what was learned if the server is the same. */
  constructor(name: string, config: BackendConfig, events: BackendEvents, former: Backend | null = null) {
    this.name = name
    this.config = config
    this.#events = events
    const url = new URL(config.url)
    this.#origin = url.origin
    this.#pathPrefix = url.pathname.replace(/\/$/, '')
    this.id = `${name} ${this.#origin}${this.#pathPrefix}`
    // Only these go out: nothing of the caller's headers is forwarded.
    this.#headers = {
      'content-type': 'application/json',
      accept: '*/*',
      'accept-encoding': 'identity',
      'user-agent': 'weir',
      ...(config.apiKey === undefined ? {} : { authorization: `Bearer ${config.apiKey}` }),
    }
    this.#connections = new Connections(this.#origin, config.timeouts.connectMs)
    const { 'content-type': _none, ...probeHeaders } = this.#headers
    this.#probeClient = new Client(this.#origin, {
      allowH2: false,
      connect: { timeout: config.timeouts.connectMs },
    })
    this.#probe = new EngineProbe(this.#probeClient, this.#pathPrefix, probeHeaders, probeTimeoutMs)
    this.#counter = new PromptCounter({ origin: this.#origin, pathPrefix: this.#pathPrefix, headers: this.#headers })
    const isSame = former?.config.url === config.url && former.config.engine === config.engine
    this.standing = isSame ? former.standing : new Standing(config.engine === 'auto' ? null : getEngine(config.engine))
    this.drain = former?.drain ?? new Drain(config.drain)
  }

  /** What kind of server it is, or null while `auto` has not been answered yet. */
  get engine(): Engine | null {
    return this.standing.engine
  }

  get slots(): number | null {
    return this.config.slots ?? this.standing.bound
  }

  /** Requests it runs at once, configured or by its own words; null where nobody knows. */
  get knownSlots(): number | null {
    return this.config.slots ?? this.standing.slots
  }

  /** The circuit breaker of one endpoint. */
  gate(endpoint: EndpointName): Gate {
    const known = this.#gates.get(endpoint)
    if (known !== undefined) return known
    const gate = new Gate(this.config.breaker, {
      onChange: (state, reason) => {
        if (state === 'closed') this.standing.cameBack()
        this.#events.onGate({ backend: this.name, endpoint, state, reason })
      },
      onLetsIn: this.#events.onLetsIn,
    })
    this.#gates.set(endpoint, gate)
    return gate
  }

  /** It turned a call away, and said when to come again. */
  turnedAway(retryAfterMs = 0): void {
    const isNews = !this.standing.turnsAway
    this.standing.turnedAway(retryAfterMs)
    if (isNews) this.#events.onTurnsAway()
  }

  /** Whether it takes a request for this endpoint now, a place provided. */
  isOpen(endpoint: EndpointName): boolean {
    return !this.drain.isOn && (this.#gates.get(endpoint)?.letsIn ?? true)
  }

  /** Until `isOpen` may change by itself, in milliseconds; 0 where it need not. */
  pauseLeftMs(endpoint: EndpointName): number {
    return this.#gates.get(endpoint)?.pauseLeftMs ?? 0
  }

  /** What kind of server it is; asks it if need be, once for all who wait. Throws a Fault. */
  async getEngine(): Promise<Engine> {
    if (this.engine !== null) return this.engine
    this.#detection ??= this.#detect().finally(() => {
      this.#detection = null
    })
    return await this.#detection
  }

  async #detect(): Promise<Engine> {
    const { engine, slots } = await this.#probe.detect()
    this.standing.engine = getEngine(engine)
    if (slots !== null) this.standing.saidSlots(slots)
    this.#events.onKnown()
    return this.standing.engine
  }

  /**
   * Asks whether it is there and has loaded; then for its slots, where it tells and they are not configured, and for the
   * models it offers, where they are to be discovered; null otherwise. Throws a Fault.
   */
  async look(): Promise<Discovered | null> {
    const engine = await this.getEngine()
    await this.#probe.checkHealth(engine.healthPath)
    if (engine.name === 'llama-server' && this.config.slots === undefined) {
      this.standing.saidSlots(await this.#probe.slots())
      this.#events.onKnown()
    }
    return this.config.discover ? { backend: this.name, models: await this.#probe.models() } : null
  }

  /**
   * The tokens of the call's prompt as this server counts them, for the target that is on it. Null where it does not say
   * within half a second, for whatever reason: see PromptCounter. Never rejects.
   */
  async countPrompt(call: Call, target: Target, signal: AbortSignal): Promise<number | null> {
    return this.engine === null ? null : this.#counter.count(call, { engine: this.engine, target }, signal)
  }

  /**
   * Sends one request. `path` is below the backend's URL, such as `/v1/chat/completions`. Where the server had closed an
   * idle connection under us, the request is sent once more on a fresh one: nothing of it had been answered.
   */
  attempt(
    engine: Engine,
    { path, body, stream, leftMs, traceHeaders }: BackendRequest,
    sink: AttemptSink,
  ): AttemptHandle {
    const { firstTokenMs, idleMs, totalMs } = this.config.timeouts
    const closeAfter = stream && engine.closesAfterStream
    const requestNow = () => ({
      path: this.#pathPrefix + path,
      headers: { ...this.#headers, ...traceHeaders, 'x-request-timeout-ms': String(Math.ceil(leftMs())) },
      body,
      stream,
      stopsWithClient: engine.stopsWithClient,
      timeouts: { firstTokenMs, idleMs, totalMs, leftMs },
    })
    const leave = this.standing.enter()
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
      this.#connections.pool(engine, closeAfter),
      { ...requestNow(), closeAfter },
      {
        ...outcome,
        onFault: fault => {
          if (!fault.details.staleConnection) return outcome.onFault(fault)
          current = new Attempt(this.#connections.pool(engine, true), { ...requestNow(), closeAfter: true }, outcome)
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
    await Promise.all([this.#probeClient.destroy(), this.#counter.close(), this.#connections.close()])
  }
}
