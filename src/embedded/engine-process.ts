import { type ChildProcess, fork } from 'node:child_process'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findModelFileFault, modelNameOf } from './engine/model-file.ts'
import { type EngineReport, type EngineSettings, isReport } from './engine/settings.ts'

const demoModelPath = fileURLToPath(new URL('./model/weir-demo.gguf', import.meta.url))
const childPath = fileURLToPath(new URL('./engine-child.ts', import.meta.url))

const firstBackoffMs = 100
const maxBackoffMs = 10_000
/** An engine that has served so long starts its next restart from the shortest wait again. */
const stableAfterMs = 30_000
/** A process that dies so often while it loads does so because of the file, not by accident. */
const maxLoadDeaths = 3
const stopTimeoutMs = 3000
const maxComplaintChars = 2000

/** The part of a pino logger that the engine uses. */
export interface EngineLog {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

export interface EngineOptions {
  /** A GGUF file; without it the demo model that ships with Weir. */
  readonly modelPath?: string
  /** The public name; without it the file's base name without `.gguf`. */
  readonly modelName?: string
  /** How many completions run at once; more wait in line. */
  readonly slots: number
  /** Tokens of prompt and answer together that one completion may hold. */
  readonly contextLength: number
  readonly log: EngineLog
}

export type EngineState =
  /** The process starts or loads; once its URL is known it answers 503 `Loading model`. */
  | { readonly kind: 'starting' }
  | { readonly kind: 'ready'; readonly url: string; readonly pid: number }
  /** It has died and comes back on the same URL. */
  | { readonly kind: 'restarting'; readonly reason: string; readonly retryInMs: number }
  /** The model cannot be loaded; only another file or setting helps. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** No engine for this platform; Weir serves its other backends all the same. */
  | { readonly kind: 'unavailable'; readonly reason: string; readonly remedy: string }
  | { readonly kind: 'stopped' }

export interface EngineProcess {
  /** The public name of the model. */
  readonly modelName: string
  /** `http://127.0.0.1:port`, the same across restarts, known before the model is loaded. Rejects when the engine gives up or is stopped first. */
  readonly url: Promise<string>
  /** Resolves with the URL when the model has been loaded for the first time; rejects as `url`. */
  readonly ready: Promise<string>
  available(): EngineState
  /** Ends the process, running answers included, within 3 s. Never rejects. */
  stop(): Promise<void>
}

/** Starts the engine in a process of its own and keeps it running until `stop`, or until this process ends in any way. */
export function startEngine(options: EngineOptions): EngineProcess {
  const supervisor = new Supervisor(options)
  void supervisor.start()
  return supervisor
}

class Supervisor implements EngineProcess {
  readonly modelName: string
  readonly #url = Promise.withResolvers<string>()
  readonly #ready = Promise.withResolvers<string>()
  readonly #log: EngineLog
  #settings: EngineSettings
  #state: EngineState = { kind: 'starting' }
  #child: ChildProcess | undefined
  #timer: NodeJS.Timeout | undefined
  #restarts = 0
  #loadDeaths = 0
  #readyAtMs = 0
  /** What the process wrote to standard error while it loaded; never later, when it may hold what people wrote. */
  #complaint = ''

  constructor(options: EngineOptions) {
    const modelPath = options.modelPath === undefined ? demoModelPath : resolve(options.modelPath)
    this.modelName = options.modelName ?? modelNameOf(modelPath)
    this.#log = options.log
    const { slots, contextLength } = options
    this.#settings = { modelPath, modelName: this.modelName, slots, contextLength, port: 0 }
    // Whoever does not ask for them shall not be ended by their rejection.
    this.#url.promise.catch(() => undefined)
    this.#ready.promise.catch(() => undefined)
  }

  get url(): Promise<string> {
    return this.#url.promise
  }

  get ready(): Promise<string> {
    return this.#ready.promise
  }

  available(): EngineState {
    return this.#state
  }

  async start(): Promise<void> {
    const fault = await findModelFileFault(this.#settings.modelPath)
    if (this.#state.kind === 'stopped') return
    if (fault === null) this.#spawn()
    else this.#giveUp({ kind: 'failed', reason: fault })
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    if (this.#state.kind !== 'failed' && this.#state.kind !== 'unavailable') this.#giveUp({ kind: 'stopped' })
    const child = this.#child
    if (child === undefined) return
    const gone = Promise.withResolvers<void>()
    child.once('exit', () => gone.resolve())
    if (child.connected) child.disconnect()
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
    await gone.promise
    clearTimeout(timer)
  }

  #spawn(): void {
    this.#complaint = ''
    const child = fork(childPath, [JSON.stringify(this.#settings)], {
      // The child is no test runner and no debugger's target, whatever this process is.
      execArgv: [],
      // llama.cpp logs to both outputs; none of it belongs into ours.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child = child
    let isListening = false
    child.on('message', message => {
      if (!isReport(message) || this.#state.kind === 'stopped') return
      isListening ||= message.kind === 'listening'
      this.#receive(message)
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (this.#state.kind === 'ready') return
      this.#complaint = (this.#complaint + text).slice(-maxComplaintChars)
    })
    child.once('error', error => this.#log.error({ err: error }, 'the engine process failed'))
    // 'close' rather than 'exit': all reports and the last words on standard error have been read by then. A process
    // that could not be started at all never exits, but closes too.
    child.once('close', (code, signal) => {
      this.#child = undefined
      this.#bury(isListening, signal ?? `exit code ${code}`)
    })
  }

  #receive(report: EngineReport): void {
    switch (report.kind) {
      case 'listening':
        this.#settings = { ...this.#settings, port: report.port }
        this.#url.resolve(this.#address)
        break
      case 'ready':
        this.#loadDeaths = 0
        this.#readyAtMs = performance.now()
        this.#state = { kind: 'ready', url: this.#address, pid: this.#child?.pid ?? 0 }
        this.#ready.resolve(this.#address)
        this.#log.info(
          // Not "pid": each line has one already, of this process.
          { model: this.modelName, url: this.#address, enginePid: this.#child?.pid },
          'the embedded engine is ready',
        )
        break
      case 'failed':
        this.#giveUp(report)
        break
      case 'unavailable':
        this.#giveUp({ ...report, remedy: remedyFor(report.reason) })
        break
    }
  }

  /** The process has died: start another after a while, unless that is hopeless. */
  #bury(wasListening: boolean, cause: string): void {
    if (this.#state.kind === 'stopped' || this.#state.kind === 'failed' || this.#state.kind === 'unavailable') return
    const wasReady = this.#state.kind === 'ready'
    if (wasReady && performance.now() - this.#readyAtMs > stableAfterMs) this.#restarts = 0
    // A process that found its port taken says nothing about the model: that one is tried for ever.
    if (!wasReady && (wasListening || this.#settings.port === 0)) this.#loadDeaths += 1
    if (this.#loadDeaths >= maxLoadDeaths) {
      const reason = `the engine died ${maxLoadDeaths} times while loading ${this.#settings.modelPath} (${cause}); the file may be damaged`
      this.#log.debug({ complaint: this.#complaint }, 'what the engine wrote last')
      this.#giveUp({ kind: 'failed', reason })
      return
    }
    const retryInMs = Math.min(firstBackoffMs * 2 ** this.#restarts, maxBackoffMs)
    this.#restarts += 1
    this.#state = { kind: 'restarting', reason: cause, retryInMs }
    this.#log.warn({ cause, retryInMs }, 'the embedded engine died and is started again')
    this.#timer = setTimeout(() => {
      this.#state = { kind: 'starting' }
      this.#spawn()
    }, retryInMs)
  }

  #giveUp(state: Extract<EngineState, { kind: 'failed' | 'unavailable' | 'stopped' }>): void {
    this.#state = state
    const reason = state.kind === 'stopped' ? 'the embedded engine was stopped' : state.reason
    if (state.kind !== 'stopped') this.#log.error({ ...state }, 'the embedded engine cannot run')
    this.#url.reject(new Error(reason))
    this.#ready.reject(new Error(reason))
  }

  get #address(): string {
    return `http://127.0.0.1:${this.#settings.port}`
  }
}

function remedyFor(reason: string): string {
  const platform = `${process.platform}-${process.arch}`
  return (
    `No llama.cpp package could be loaded on ${platform} (${reason}). Install Weir with its optional dependencies ` +
    `(npm ci without --omit=optional; on Linux a glibc system, not Alpine), or configure a backend in weir.yaml.`
  )
}
