import { Client } from 'undici'
import type { Resolved } from '../config/resolved.ts'
import type { Discovered, Target } from '../domain/catalog.ts'
import { RetryBudget } from '../domain/retry.ts'
import type { BackendFile } from '../schemas/config/backends.ts'
import type { EndpointName } from '../schemas/config/models.ts'
import type { Server } from './admission.ts'
import { Attempt, type AttemptSink } from './attempt.ts'
import type { Call } from './call.ts'
import { Connections } from './connections.ts'
import { type Engine, getEngine } from './engine.ts'
import { EngineProbe } from './engine-probe.ts'
import type { Fault } from './fault.ts'
import { Gate, type GateState } from './gate.ts'
import { PromptCounter } from './prompt-counter.ts'

export type BackendConfig = Resolved<BackendFile>

/** A probe that takes longer says nothing: under a burst llama-server answers probes after seconds. */
const probeTimeoutMs = 5000
/** After it was away, until it has its whole share again; and with how much it begins. */
const slowStartMs = 20_000
const leastShare = 0.1

export interface BackendRequest {
  readonly path: string
  readonly body: Buffer
  readonly stream: boolean
  /** What is left of the request's own time, in milliseconds. */
  readonly leftMs: number
}

export interface BackendEvents {
  readonly onGate: (change: GateChange) => void
}

export interface GateChange {
  readonly backend: string
  readonly endpoint: EndpointName
  readonly state: GateState
  /** Why it opened; null otherwise. */
  readonly reason: string | null
}

/** What can be done to a request that is under way. */
export type AttemptHandle = Pick<Attempt, 'abort' | 'pause' | 'resume' | 'contentBegan' | 'answered'>

/** One inference server: its connections, and what is known about it. */
export class Backend implements Server {
  readonly name: string
  readonly config: BackendConfig
  readonly #origin: string
  readonly #pathPrefix: string
  readonly #headers: Record<string, string>
  readonly #probe: EngineProbe
  readonly #probeClient: Client
  readonly #counter: PromptCounter
  readonly #connections: Connections
  #engine: Engine | null
  #detection: Promise<Engine> | null = null
  #inFlight = 0
  /** Requests it runs at once, configured or asked of it; null while unknown. */
  slots: number | null
  /** How often what has failed here may be tried again. */
  readonly retries = new RetryBudget()
  readonly #gates = new Map<EndpointName, Gate>()
  readonly #events: BackendEvents
  /** An operator wants it to have no new requests. */
  isDrained = false
  #seemsUp = true
  /** When it came back, on the monotonic clock; null where it was never away. */
  #backMs: number | null = null

  constructor(name: string, config: BackendConfig, events: BackendEvents) {
    this.name = name
    this.config = config
    this.#events = events
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
    this.#connections = new Connections(this.#origin, config.timeouts.connectMs)
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
    this.isDrained = config.drain
  }

  /** What kind of server it is, or null while `auto` has not been answered yet. */
  get engine(): Engine | null {
    return this.#engine
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** The circuit breaker of one endpoint. */
  gate(endpoint: EndpointName): Gate {
    const known = this.#gates.get(endpoint)
    if (known !== undefined) return known
    const gate = new Gate(this.config.breaker, {
      onChange: (state, reason) => {
        if (state === 'closed') this.#backMs = performance.now()
        this.#events.onGate({ backend: this.name, endpoint, state, reason })
      },
    })
    this.#gates.set(endpoint, gate)
    return gate
  }

  /** By its probes. One that is busy answers them late, so this only says who is asked first. */
  get seemsUp(): boolean {
    return this.#seemsUp
  }

  /** What a probe has found. */
  seems(up: boolean): void {
    if (up && !this.#seemsUp) this.#backMs = performance.now()
    this.#seemsUp = up
  }

  /** The part of its weight that counts: one that has come back has its caches to fill, and may go again. */
  get share(): number {
    if (this.#backMs === null) return 1
    const share = (performance.now() - this.#backMs) / slowStartMs
    if (share >= 1) this.#backMs = null
    return Math.min(1, Math.max(leastShare, share))
  }

  /** Whether it takes a request for this endpoint now, a place provided. */
  isOpen(endpoint: EndpointName): boolean {
    return !this.isDrained && (this.#gates.get(endpoint)?.letsIn ?? true)
  }

  /** Until `isOpen` may change by itself, in milliseconds; 0 where it need not. */
  pauseLeftMs(endpoint: EndpointName): number {
    return this.#gates.get(endpoint)?.pauseLeftMs ?? 0
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

  /** Asks for its slots where it tells and they are not configured. Throws a Fault. */
  async learnSlots(): Promise<void> {
    const engine = await this.getEngine()
    if (engine.name === 'llama-server' && this.config.slots === undefined) this.slots = await this.#probe.slots()
  }

  /** The models it offers. Throws a Fault. */
  async discover(): Promise<Discovered> {
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
  attempt(engine: Engine, { path, body, stream, leftMs }: BackendRequest, sink: AttemptSink): AttemptHandle {
    const { firstTokenMs, idleMs, totalMs } = this.config.timeouts
    const closeAfter = stream && engine.closesAfterStream
    const request = {
      path: this.#pathPrefix + path,
      headers: { ...this.#headers, 'x-request-timeout-ms': String(Math.ceil(leftMs)) },
      body,
      stream,
      stopsWithClient: engine.stopsWithClient,
      timeouts: { firstTokenMs, idleMs, totalMs, deadlineMs: leftMs },
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
      this.#connections.pool(engine, closeAfter),
      { ...request, closeAfter },
      {
        ...outcome,
        onFault: fault => {
          if (!fault.details.staleConnection) return outcome.onFault(fault)
          current = new Attempt(this.#connections.pool(engine, true), { ...request, closeAfter: true }, outcome)
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
