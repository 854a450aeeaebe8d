/** From what was presented to who is calling. Whoever is known is found by one hash and two look-ups, without waiting. */
import { hash, timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { type Peppers, parseApiKey } from '../domain/api-key.ts'
import { looksLikeJwt } from '../domain/jwt.ts'
import { buildLimitSet } from '../domain/limit-set.ts'
import type { Principal } from '../domain/principal.ts'
import type { Proof } from '../domain/proof.ts'
import { endOf } from '../domain/standing.ts'
import { scopeNames } from '../schemas/config/tiers.ts'
import { defaultAccount } from '../store/accounts.ts'
import type { Callers } from './callers.ts'

export interface AuthenticatorOptions {
  readonly callers: Callers
  readonly peppers: Peppers
  /** The preset key with every right, of no shape in particular; undefined where there is none. */
  readonly adminKey: string | undefined
  /** Null for a token that is not to be let in. Rejects when its issuer's keys cannot be had. */
  readonly verifyToken: (text: string) => Promise<Proof | null>
}

const minAdminKeyLength = 32
/** Measured with the longest subjects: 2.7 KB each with its principal. Who is pushed out is proved anew. */
const maxProofs = 50_000

/** The preset key belongs to no row of the database, so it works while that is down. */
const adminPrincipal = Object.freeze<Principal>({
  accountId: defaultAccount.id,
  accountName: defaultAccount.name,
  credential: 'admin-key',
  keyId: null,
  identity: null,
  tier: defaultAccount.tier,
  scopes: new Set(scopeNames),
  models: ['*'],
  semanticCache: false,
  // It is the operator's own.
  limits: buildLimitSet({
    accountId: defaultAccount.id,
    keyId: null,
    tier: defaultAccount.tier,
    tierLimits: undefined,
    accountLimits: {},
    keyLimits: {},
  }),
  expiresAtMs: null,
})

/** What was presented has been looked at: a principal, or nobody. A promise where somebody else had to be asked. */
type Verdict = Principal | null

export class Authenticator {
  readonly #options: AuthenticatorOptions
  readonly #adminDigest: Buffer | null
  /** What was proved, by the hash of what was presented; it holds no secret. */
  readonly #proofs = new LRUCache<string, Proof>({ max: maxProofs })

  /** Throws when the admin key is too short. */
  constructor(options: AuthenticatorOptions) {
    this.#options = options
    const { adminKey } = options
    if (adminKey !== undefined && adminKey.length < minAdminKeyLength)
      throw new Error(`WEIR_ADMIN_KEY needs at least ${minAdminKeyLength} characters`)
    this.#adminDigest = adminKey === undefined ? null : Buffer.from(hash('sha256', adminKey))
  }

  /**
   * Rejects when the database or an issuer's keys would have to be asked and do not answer. The request's id is for the
   * audit log, where an account is made for the caller.
   */
  identify(presented: string, requestId: string): Verdict | Promise<Verdict> {
    const digest = hash('sha256', presented)
    const proof = this.#proofs.get(digest)
    if (proof !== undefined && isTrusted(proof)) return this.#standing(proof, requestId)
    // By digest and before anything looks at its shape, since it may be of any length and form.
    if (this.#adminDigest !== null && timingSafeEqual(Buffer.from(digest), this.#adminDigest)) return adminPrincipal
    if (looksLikeJwt(presented)) return this.#verify({ presented, digest, requestId })
    const identity = parseApiKey(this.#options.peppers, presented)
    if (identity === null) return null
    return this.#standing(this.#keep(digest, { kind: 'key', ...identity }), requestId)
  }

  async #verify({
    presented,
    digest,
    requestId,
  }: Readonly<Record<'presented' | 'digest' | 'requestId', string>>): Promise<Verdict> {
    const proof = await this.#options.verifyToken(presented)
    return proof && (await this.#standing(this.#keep(digest, proof), requestId))
  }

  #keep(digest: string, proof: Proof): Proof {
    // A token that ends is of no use to anybody, and its place is.
    const nowMs = Date.now()
    const endsAtMs = endOf(proof)
    if (endsAtMs > nowMs) this.#proofs.set(digest, proof, endsAtMs === Infinity ? {} : { ttl: endsAtMs - nowMs })
    return proof
  }

  #standing(proof: Proof, requestId: string): Verdict | Promise<Verdict> {
    const known = this.#options.callers.peek(proof, Date.now())
    return known === undefined ? this.#options.callers.resolve(proof, requestId) : known
  }
}

/** Whether it still counts as proved; one whose key may have been taken back has to be looked at again. */
const isTrusted = (proof: Proof): boolean => proof.kind !== 'identity' || proof.isTrusted()
