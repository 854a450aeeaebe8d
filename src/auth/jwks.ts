import { Agent, request } from 'undici'
import { findKey, parseJwkSet, type VerificationKey } from '../domain/jwk-set.ts'
import { reasonOf } from '../log/describe-error.ts'
import type { KeySetAlgorithm } from '../schemas/config/issuers.ts'

export type KeySearch =
  | { readonly kind: 'key'; readonly key: VerificationKey }
  /** The issuer has no such key. */
  | { readonly kind: 'unknown' }
  /** Nobody can say at the moment. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number }

export interface KeySetOptions {
  readonly url: string
  readonly algorithms: readonly KeySetAlgorithm[]
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

interface KeySetStanding {
  /** Whether its keys could be fetched when that was last tried. */
  readonly isUp: boolean
  /** Since the keys that are held were fetched; null where there are none yet. */
  readonly ageMs: number | null
}

const fetchTimeoutMs = 3000
const maxBodyBytes = 1024 * 1024
/** Older keys are fetched again in the background. */
const refreshAfterMs = 10 * 60_000
/** Older ones, which nobody has asked for in the meantime, are fetched before they are used. */
const idleAfterMs = 2 * refreshAfterMs
/** Older ones are not used at all: the issuer may have taken one back. */
const staleAfterMs = 60 * 60_000
/** Between two fetches: a caller can make up as many names of keys as it likes. */
const minIntervalMs = 30_000
/** The same while there are no keys to use, so that a start before the issuer's is soon over. */
const minIntervalWithoutKeysMs = 2000

/**
 * The keys that one issuer publishes at a URL. They are fetched when first needed, and again while they are used; of many
 * that wait for them one fetches. While the issuer does not answer, the keys it had hold for an hour.
 */
export class KeySet {
  readonly #options: KeySetOptions
  readonly #agent = new Agent({ connect: { timeout: fetchTimeoutMs } })
  #keys: readonly VerificationKey[] = []
  /** What came of the last fetch. */
  #state: 'new' | 'up' | 'down' = 'new'
  #loadedAtMs: number | null = null
  #triedAtMs: number | null = null
  #fetching: Promise<void> | null = null
  #isClosed = false

  constructor(options: KeySetOptions) {
    this.#options = options
  }

  /** Finds the key that a token was signed with; waits for a fetch, at most 3 s, only where it cannot do without. */
  async find(kid: string | null, algorithm: KeySetAlgorithm): Promise<KeySearch> {
    await this.#ensureFresh()
    if (!this.#isUsable) return this.#unavailable()
    const known = findKey(this.#keys, kid, algorithm)
    if (known !== undefined) return { kind: 'key', key: known }
    await this.#fetchIfDue()
    const fetched = findKey(this.#keys, kid, algorithm)
    if (fetched !== undefined) return { kind: 'key', key: fetched }
    return this.#state === 'up' ? { kind: 'unknown' } : this.#unavailable()
  }

  /** Whether a key that was found before still holds. Asking counts as use, so that the answer does not grow old. */
  has(key: VerificationKey): boolean {
    if (sinceMs(this.#loadedAtMs) > refreshAfterMs) void this.#fetchIfDue()
    return this.#isUsable && this.#keys.includes(key)
  }

  /** What is known of its issuer; null while nobody has asked it yet. */
  get standing(): KeySetStanding | null {
    if (this.#state === 'new') return null
    return { isUp: this.#state === 'up', ageMs: this.#loadedAtMs === null ? null : sinceMs(this.#loadedAtMs) }
  }

  /** Ends a fetch that is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#agent.destroy()
  }

  get #isUsable(): boolean {
    return sinceMs(this.#loadedAtMs) <= staleAfterMs
  }

  get #intervalMs(): number {
    return this.#isUsable ? minIntervalMs : minIntervalWithoutKeysMs
  }

  async #ensureFresh(): Promise<void> {
    const ageMs = sinceMs(this.#loadedAtMs)
    if (ageMs <= refreshAfterMs) return
    const fetched = this.#fetchIfDue()
    if (ageMs > staleAfterMs || (ageMs > idleAfterMs && this.#state === 'up')) await fetched
  }

  /** Waits for the fetch that is under way, or starts one unless the last is too recent. Never rejects. */
  async #fetchIfDue(): Promise<void> {
    if (this.#fetching === null && !this.#isClosed && sinceMs(this.#triedAtMs) >= this.#intervalMs) {
      this.#triedAtMs = Date.now()
      this.#fetching = this.#fetch().finally(() => {
        this.#fetching = null
      })
    }
    await this.#fetching
  }

  async #fetch(): Promise<void> {
    try {
      const offered = await this.#download()
      // An entry that is the same stays the same object, by which `has` knows it.
      this.#keys = offered.map(key => this.#keys.find(known => isSame(known, key)) ?? key)
      this.#loadedAtMs = Date.now()
      this.#enter('up', { keys: this.#keys.length })
    } catch (error) {
      this.#enter('down', { reason: reasonOf(error) })
    }
  }

  /** What the issuer publishes and the configuration allows. Throws an error that says what is wrong with the answer. */
  async #download(): Promise<readonly VerificationKey[]> {
    const { url, algorithms } = this.#options
    const { statusCode, body } = await request(url, {
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(fetchTimeoutMs),
      headers: { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'weir' },
      // The next one is minutes away.
      reset: true,
    })
    try {
      // A redirect is not followed: whoever can answer one here could name any place.
      if (statusCode !== 200) throw new Error(`it answered with status ${statusCode}`)
      const keys = parseJwkSet(JSON.parse(await readText(body)))
      if (keys === null) throw new Error('it answered with something that is no set of keys')
      return keys.filter(({ algorithm }) => algorithms.includes(algorithm))
    } finally {
      body.on('error', () => undefined).destroy()
    }
  }

  /** Says what has changed, once. */
  #enter(state: 'up' | 'down', details: object): void {
    const isNews = state !== this.#state && !this.#isClosed
    this.#state = state
    if (!isNews) return
    const fields = { url: this.#options.url, ...details }
    if (state === 'down') this.#options.log.warn(fields, 'keys of an issuer of JWTs cannot be fetched')
    else if (this.#keys.length === 0) this.#options.log.warn(fields, 'an issuer of JWTs has no keys that can be used')
    else this.#options.log.info(fields, 'keys of an issuer of JWTs are there')
  }

  #unavailable(): KeySearch {
    return { kind: 'unavailable', retryAfterMs: Math.max(1000, this.#intervalMs - sinceMs(this.#triedAtMs)) }
  }
}

/** A clock that was set back counts as one that went on. */
function sinceMs(thenMs: number | null): number {
  return thenMs === null ? Number.POSITIVE_INFINITY : Math.abs(Date.now() - thenMs)
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBodyBytes) throw new Error(`its answer is longer than ${maxBodyBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function isSame(left: VerificationKey, right: VerificationKey): boolean {
  return left.kid === right.kid && left.algorithm === right.algorithm && left.pem === right.pem
}
