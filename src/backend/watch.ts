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
  stop(): void
}

/** While a backend has not answered it is asked again soon, then less often; afterwards its list is kept fresh. */
const firstRetryMs = 200
const maxRetryMs = 5000
const refreshMs = 30_000

/**
 * Finds out what a backend is and, where its models are to be discovered, which it has; goes on until stopped. A backend
 * that does not answer keeps the models it had: it may only be busy (llama-server answers probes late under a burst).
 */
export function watchBackend(backend: Backend, { log, onDiscovered, onChange }: WatchOptions): Watch {
  let state: BackendState = { kind: 'unknown' }
  let retryMs = firstRetryMs
  let timer: NodeJS.Timeout | null = null
  let isStopped = false
  const firstLook = Promise.withResolvers<void>()

  const enter = (next: BackendState) => {
    const { kind, ...known } = next
    const isNews = kind !== state.kind && !isStopped
    state = next
    backend.seems(kind === 'up')
    onChange()
    if (!isNews) return
    const fields = { backend: backend.name, state: kind, ...known }
    if (kind === 'down') log.warn(fields, 'backend down')
    else log.info(fields, `backend ${kind}`)
  }
  const look = async () => {
    try {
      const engine = await backend.getEngine()
      await backend.learnSlots()
      if (backend.config.discover) onDiscovered(await backend.discover())
      enter({ kind: 'up', engine: engine.name, slots: backend.slots })
      retryMs = firstRetryMs
      return refreshMs
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      // Under load llama-server answers probes after many seconds: what it is doing says more of it.
      if (error.kind === 'timeout' && backend.inFlight > 0) return refreshMs
      enter(error.kind === 'busy' ? { kind: 'loading' } : { kind: 'down', reason: error.message })
      const wait = retryMs
      retryMs = Math.min(retryMs * 2, maxRetryMs)
      return wait
    }
  }
  const lookAgain = (waitMs: number) => {
    firstLook.resolve()
    if (isStopped) return
    timer = setTimeout(run, waitMs)
    timer.unref()
  }
  const run = () => {
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
    stop: () => {
      isStopped = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}
