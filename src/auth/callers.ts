/** Whom a proof stands for: from memory, or by asking the database. */
import type { Change } from '../domain/change.ts'
import type { Principal } from '../domain/principal.ts'
import type { IdentityProof, KeyProof, Proof, TokenProof } from '../domain/proof.ts'
import {
  type AccountStanding,
  endOf,
  isUsable,
  type KeyStanding,
  principalOfIdentity,
  principalOfKey,
  type TierGrants,
} from '../domain/standing.ts'
import type { Identity } from '../store/callers.ts'
import { RecordCache } from '../store/record-cache.ts'

export interface CallersOptions {
  readonly ttlMs: number
  readonly tiers: TierGrants
  /** Each rejects when the database cannot say. */
  readonly findKey: (publicId: string) => Promise<KeyStanding | null>
  readonly findIdentity: (identity: Identity) => Promise<AccountStanding | null>
  readonly provision: (identity: Identity, tier: string) => Promise<void>
}

/** The principal that was made of a proof, and of what; another standing makes another one. */
interface Made {
  readonly standing: AccountStanding
  readonly principal: Principal | null
}

export class Callers {
  readonly #options: CallersOptions
  readonly #keys: RecordCache<KeyStanding>
  readonly #identities: RecordCache<AccountStanding>
  readonly #made = new WeakMap<Proof, Made>()

  constructor(options: CallersOptions) {
    this.#options = options
    const { ttlMs, findKey, findIdentity } = options
    this.#keys = new RecordCache({ ttlMs, load: findKey })
    this.#identities = new RecordCache({ ttlMs, load: id => findIdentity(identityOf(id)) })
  }

  /** The principal, null for nobody, undefined where the database has to be asked. */
  peek(proof: Proof, nowMs: number): Principal | null | undefined {
    if (nowMs >= endOf(proof)) return null
    if (proof.kind === 'identity') return this.#judgeIdentity(proof, this.#identities.peek(idOf(proof), nowMs))
    const key = this.#keys.peek(proof.kind === 'key' ? proof.publicId : proof.keyId, nowMs)
    return key && this.#judgeKey(proof, key, nowMs)
  }

  /** The same, by asking the database. Rejects when it cannot say and nothing is remembered. */
  async resolve(proof: Proof): Promise<Principal | null> {
    if (proof.kind === 'identity') return this.#judgeIdentity(proof, await this.#findOrProvision(proof)) ?? null
    const key = await this.#keys.resolve(proof.kind === 'key' ? proof.publicId : proof.keyId)
    const nowMs = Date.now()
    return key && nowMs < endOf(proof) ? this.#judgeKey(proof, key, nowMs) : null
  }

  forget({ kind, id }: Change): void {
    this.#keys.forget(key => (kind === 'key' ? key.publicId : key.accountId) === id)
    if (kind === 'account') this.#identities.forget(account => account.accountId === id)
  }

  /** Changes may have been missed: what is remembered only counts while the database cannot say. */
  doubtAll(): void {
    this.#keys.doubtAll()
    this.#identities.doubtAll()
  }

  #judgeKey(proof: KeyProof | TokenProof, key: KeyStanding, nowMs: number): Principal | null {
    if (!isUsable(key, nowMs)) return null
    return this.#makeOnce(proof, key, () => principalOfKey(proof, key, this.#options.tiers))
  }

  #judgeIdentity(proof: IdentityProof, account: AccountStanding | null | undefined): Principal | null | undefined {
    // Who has no account yet may be given one, which is for resolve() to do.
    if (!account) return account === null && proof.provisionTier === null ? null : undefined
    if (account.accountStatus !== 'active') return null
    return this.#makeOnce(proof, account, () => principalOfIdentity(proof, account, this.#options.tiers))
  }

  #makeOnce(proof: Proof, standing: AccountStanding, make: () => Principal | null): Principal | null {
    const known = this.#made.get(proof)
    if (known?.standing === standing) return known.principal
    const principal = make()
    this.#made.set(proof, { standing, principal })
    return principal
  }

  async #findOrProvision(proof: IdentityProof): Promise<AccountStanding | null> {
    const id = idOf(proof)
    const found = await this.#identities.resolve(id)
    if (found !== null || proof.provisionTier === null) return found
    const { issuer, subject, provisionTier } = proof
    await this.#options.provision({ issuer, subject }, provisionTier)
    // Asked past what was remembered a moment ago: that there is nobody.
    this.#identities.forget(() => false)
    return await this.#identities.resolve(id)
  }
}

/** Of an identity, as one text; no issuer holds a line break. */
const idOf = ({ issuer, subject }: Identity): string => `${issuer}\n${subject}`

function identityOf(id: string): Identity {
  const end = id.indexOf('\n')
  return { issuer: id.slice(0, end), subject: id.slice(end + 1) }
}
