import type { Discovered } from '../domain/catalog.ts'
import type { Backend } from './backend.ts'
import { Fault } from './fault.ts'

export type BackendState =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'up'; readonly engine: string; readonly slots: number | null }
  | { readonly kind: 'loading' }
  | { readonly kind: 'down'; readonly reason: string }

export interface WatchOptions {
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
  readonly onDiscovered: (discovered: Discovered) => void
  /** What is known of the backend has changed, or may have. */
  readonly onChange: () => void
}

export interface Watch {
  readonly name: string
  readonly state: BackendState
  /** Fulfilled when it has been asked once, whatever it said. */
  readonly firstLook: Promise<void>
  /** Something speaks for another state: it is asked now, not when it is due. */
  lookNow(): void
  stop(): void
}

/** While a backend has not answered it is asked again soon, then less often; afterwards now and then, which is two or three small questions. */
const firstRetryMs = 200
const maxRetryMs = 5000
const intervalMs = 10_000
/** Each wait is by so much longer or shorter, so that replicas do not ask all at once. */
const jitter = 0.2

/**
 * Finds out what a backend is, how it is and, where its models are to be discovered, which it has; goes on until stopped. A
 * backend that does not answer keeps the models it had: it may only be busy (llama-server answers probes late under a burst).
 */
export function watchBackend(backend: Backend, { log, onDiscovered, onChange }: WatchOptions): Watch {
  let state: BackendState = { kind: 'unknown' }
  let retryMs = firstRetryMs
  let timer: NodeJS.Timeout | null = null
  let isStopped = false
  let isDoubtful = false
  const firstLook = Promise.withResolvers<void>()

  const enter = (next: BackendState) => {
    const { kind, ...known } = next
    // Another one watches it now.
    if (isStopped) return
    const isNews = kind !== state.kind
    state = next
    backend.standing.seems(kind === 'up')
    onChange()
    if (!isNews) return
    const fields = { backend: backend.name, state: kind, ...known }
    if (kind === 'down') log.warn(fields, 'backend down')
    else log.info(fields, `backend ${kind}`)
  }
  const look = async () => {
    const sinceMs = performance.now()
    try {
      const engine = await backend.getEngine()
      const discovered = await backend.look()
      if (discovered !== null) onDiscovered(discovered)
      enter({ kind: 'up', engine: engine.name, slots: backend.knownSlots })
      retryMs = firstRetryMs
      return intervalMs
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      // Under load llama-server answers probes after many seconds: what it is doing says more of it.
      const isBusy = error.kind === 'timeout' && backend.standing.wasBusySince(sinceMs)
      if (isBusy && state.kind === 'up') return intervalMs
      if (!isBusy) enter(error.kind === 'busy' ? { kind: 'loading' } : { kind: 'down', reason: error.message })
      const wait = retryMs
      retryMs = Math.min(retryMs * 2, maxRetryMs)
      return wait
    }
  }
  const lookAgain = (waitMs: number) => {
    firstLook.resolve()
    if (isStopped) return
    timer = setTimeout(run, isDoubtful ? 0 : waitMs * (1 - jitter + 2 * jitter * Math.random()))
    timer.unref()
    isDoubtful = false
  }
  const run = () => {
    timer = null
    look().then(lookAgain, error => {
      log.warn({ backend: backend.name, err: error }, 'watching a backend failed')
      lookAgain(maxRetryMs)
    })
  }
  run()
  return {
    name: backend.name,
    firstLook: firstLook.promise,
    get state() {
      return state
    },
    lookNow: () => {
      // What is being asked may have been answered before that.
      isDoubtful = timer === null
      if (timer === null) return
      clearTimeout(timer)
      run()
    },
    stop: () => {
      isStopped = true
      if (timer !== null) clearTimeout(timer)
      timer = null
    },
  }
}
