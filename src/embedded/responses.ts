import { LRUCache } from 'lru-cache'
import type {
  Belonging,
  Forgetting,
  Found,
  Kept,
  NewEntry,
  ResponseStore,
  StoreEvents,
} from '../domain/response-store.ts'

interface Entry extends Belonging {
  readonly bytes: Buffer
  readonly moment: number
}

interface ProcessResponsesOptions extends StoreEvents {
  readonly maxBytes: number
  readonly maxEntryBytes: number
}

/** What an entry takes beside its bytes: its key, its places in the tables and the buffer itself; 470 of them were measured in the heap. */
const entryOverheadBytes = 600

/** So many accounts and models that have been forgotten are remembered; with one more all entries are forgotten. */
const maxForgotten = 10_000

/** The store of one process: the least recently used go first, by bytes. */
export class ProcessResponses implements ResponseStore {
  readonly #options: ProcessResponsesOptions
  readonly #entries: LRUCache<string, Entry>
  /** When each was forgotten, counted in moments. */
  readonly #forgotten = new Map<string, number>()
  #moment = 1

  constructor(options: ProcessResponsesOptions) {
    this.#options = options
    this.#entries = new LRUCache({
      maxSize: options.maxBytes,
      sizeCalculation: ({ bytes }) => bytes.length + entryOverheadBytes,
      dispose: (_entry, _key, reason) => reason === 'evict' && options.onEvicted(1),
    })
  }

  find(keys: readonly string[], belonging: Belonging): Found {
    const entries = keys.map(key => {
      const entry = this.#entries.get(key)
      if (entry === undefined) return null
      if (entry.moment > this.#forgottenAt(belonging)) return entry.bytes
      this.#entries.delete(key)
      return null
    })
    return { entries, moment: String(this.#moment) }
  }

  put(entries: readonly NewEntry[], { owner, model, moment, ttlMs }: Kept): void {
    const entry = { owner, model, moment: Number(moment) }
    if (!(entry.moment > this.#forgottenAt(entry))) return
    for (const { key, bytes } of entries) {
      if (bytes.length <= this.#options.maxEntryBytes) {
        this.#entries.set(key, { ...entry, bytes: ownBytes(bytes) }, { ttl: ttlMs })
      }
    }
    this.#told()
  }

  remove(key: string): void {
    this.#entries.delete(key)
    this.#told()
  }

  forget(what: Forgetting): void {
    if (what.kind === 'key') {
      this.remove(what.key)
      return
    }
    if (this.#forgotten.size >= maxForgotten) {
      this.#entries.clear()
      this.#forgotten.clear()
      this.#forgotten.set(everything, this.#moment)
      this.#told()
    }
    this.#forgotten.set(nameOf(what), this.#moment)
    this.#moment++
  }

  #forgottenAt({ owner, model }: Belonging): number {
    const at = (name: string) => this.#forgotten.get(name) ?? 0
    return Math.max(at(everything), at(`account:${owner}`), at(`model:${model}`))
  }

  #told(): void {
    this.#options.onBytes(this.#entries.calculatedSize)
  }
}

/** Small buffers are parts of Node's pool, of which one that is kept holds all 64 KiB. */
function ownBytes(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength === bytes.length) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(own)
  return own
}

const everything = 'everything'
const nameOf = (what: Exclude<Forgetting, { kind: 'key' }>): string =>
  what.kind === 'account' ? `account:${what.accountId}` : `model:${what.model}`
