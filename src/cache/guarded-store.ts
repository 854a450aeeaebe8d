import type { Belonging, Found, Kept, NewEntry, ResponseStore } from '../domain/response-store.ts'

/** So many failures one after the other, and nobody waits for the store until it has answered again. */
const maxFailures = 3
/** The longest that anybody waits for it. */
const patienceMs = 50
/** How long it is left alone then; after that one look-up finds out. */
const pauseMs = 500
/** Put at once, where one entry is not more. */
const maxPartBytes = 2 ** 20

/**
 * A store that may be away: then nothing is found and nothing kept, at once. Finding and keeping never reject. What is forgotten
 * must be so, and rejects.
 */
export class GuardedStore {
  readonly #store: ResponseStore
  readonly #onFailure: (error: unknown, begins: boolean) => void
  #failures = 0
  #pausedUntilMs = 0

  /** `onFailure`: of each; `begins` where it is left alone from now on. */
  constructor(store: ResponseStore, onFailure: (error: unknown, begins: boolean) => void) {
    this.#store = store
    this.#onFailure = onFailure
  }

  /** Null where nobody knows. */
  async find(keys: readonly string[], belonging: Belonging): Promise<Found | null> {
    return await this.#guard(() => this.#store.find(keys, belonging))
  }

  /** Whether they are kept. A batch of vectors may take longer than anybody would wait, and hold up whoever looks meanwhile. */
  async put(entries: readonly NewEntry[], kept: Kept): Promise<boolean> {
    for (const part of partsOf(entries)) {
      const put = async () => {
        await this.#store.put(part, kept)
        return true
      }
      if ((await this.#guard(put)) === null) return false
    }
    return true
  }

  async remove(key: string): Promise<void> {
    await this.#guard(() => this.#store.remove(key))
  }

  get forget(): ResponseStore['forget'] {
    return what => this.#store.forget(what)
  }

  async #guard<Result>(ask: () => Result | Promise<Result>): Promise<Result | null> {
    const nowMs = performance.now()
    if (this.#failures >= maxFailures) {
      if (nowMs < this.#pausedUntilMs) return null
      // The others go on without it until this one has an answer.
      this.#pausedUntilMs = nowMs + pauseMs
    }
    try {
      const result = await patiently(ask())
      this.#failures = 0
      return result
    } catch (error) {
      this.#failures++
      this.#pausedUntilMs = performance.now() + pauseMs
      this.#onFailure(error, this.#failures === maxFailures)
      return null
    }
  }
}

/** By the time of this process: where it was held up itself, what has come meanwhile is read before anybody gives up. */
async function patiently<Result>(asked: Result | Promise<Result>): Promise<Result> {
  if (!(asked instanceof Promise)) return asked
  const { promise, reject } = Promise.withResolvers<never>()
  const giveUp = () => reject(new Error(`no answer within ${patienceMs} ms`))
  const timer = setTimeout(() => setImmediate(giveUp), patienceMs)
  try {
    return await Promise.race([asked, promise])
  } finally {
    clearTimeout(timer)
  }
}

function* partsOf(entries: readonly NewEntry[]): Generator<readonly NewEntry[]> {
  let part: NewEntry[] = []
  let partBytes = 0
  for (const entry of entries) {
    if (part.length > 0 && partBytes + entry.bytes.length > maxPartBytes) {
      yield part
      part = []
      partBytes = 0
    }
    part.push(entry)
    partBytes += entry.bytes.length
  }
  if (part.length > 0) yield part
}
