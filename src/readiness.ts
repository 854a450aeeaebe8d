import { type Verdict, VitalSigns } from './probe/vital-signs.ts'

/** Whether this process should get traffic; `state` is changed by the server as it starts and stops. */
export class Readiness {
  readonly signs = new VitalSigns()
  readonly #needs: (() => boolean)[] = []
  #state: 'starting' | 'ready' | 'stopping' = 'starting'

  get state(): 'starting' | 'ready' | 'stopping' {
    return this.#state
  }

  /** The probes see it at once. */
  set state(state: 'starting' | 'ready' | 'stopping') {
    this.#state = state
    this.signs.verdict = this.verdict
  }

  /** Adds something without which every inference is refused. */
  needs(isThere: () => boolean): void {
    this.#needs.push(isThere)
  }

  get verdict(): Verdict {
    if (this.#state !== 'ready') return this.#state
    return this.#needs.every(isThere => isThere()) ? 'ready' : 'degraded'
  }

  /** Tells whoever watches that the main thread has a turn. */
  beat(): void {
    this.signs.beat()
    this.signs.verdict = this.verdict
  }
}
