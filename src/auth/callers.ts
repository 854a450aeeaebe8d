/** Whom a proof stands for: from memory, or by asking the database. */
import type { Change } from '../domain/change.ts'
import type { LimitSet } from '../domain/limit.ts'
import type { Principal } from '../domain/principal.ts'
import type { IdentityProof, KeyProof, Proof, TokenProof } from '../domain/proof.ts'
import {
  type AccountStanding,
  endOf,
  isUsable,
  type KeyStanding,
  limitsIn,
  principalOfIdentity,
  principalOfKey,
  type Terms,
  type Tiers,
  tierOf,
} from '../domain/standing.ts'
import type { Identity } from '../store/accounts.ts'
import { RecordCache } from '../store/record-cache.ts'

export interface CallersOptions {
  readonly ttlMs: number
  /** As they are now: another object where anything about them has changed. */
  readonly tiers: () => Tiers
  /** Both reject when the database cannot say. */
  readonly findKey: (publicId: string) => Promise<KeyStanding | null>
  /** Where an issuer's callers are to be given accounts, whoever has none has got one by then. */
  readonly findIdentity: (identity: Identity, requestId: string) => Promise<AccountStanding | null>
}

/** The principal that was made of a proof, and of what; another standing makes another one, and so do other tiers. */
interface Made {
  readonly standing: AccountStanding
  readonly tiers: Tiers
  readonly principal: Principal | null
}

interface LimitsMade {
  readonly tiers: Tiers
  readonly set: LimitSet
}

export class Callers {
  readonly #options: CallersOptions
  readonly #keys: RecordCache<KeyStanding>
  readonly #identities: RecordCache<AccountStanding>
  readonly #made = new WeakMap<Proof, Made>()
  /** By tier: issuers' tokens may give one account several. Bounded by the tiers there are. */
  readonly #limits = new WeakMap<AccountStanding, Map<string, LimitsMade>>()

  constructor(options: CallersOptions) {
    this.#options = options
    const { ttlMs, findKey, findIdentity } = options
    const groupOf = ({ accountId }: AccountStanding) => accountId
    this.#keys = new RecordCache({ ttlMs, load: findKey, groupOf })
    const load = (id: string, requestId: string) => findIdentity(identityOf(id), requestId)
    this.#identities = new RecordCache({ ttlMs, load, groupOf })
  }

  /** The principal, null for nobody, undefined where the database has to be asked. */
  peek(proof: Proof, nowMs: number): Principal | null | undefined {
    if (nowMs >= endOf(proof)) return null
    if (proof.kind === 'identity') {
      const account = this.#identities.peek(idOf(proof))
      return account && this.#judgeIdentity(proof, account)
    }
    const key = this.#keys.peek(keyIdOf(proof))
    return key && this.#judgeKey(proof, key, nowMs)
  }

  /** The same, by asking the database. Rejects when it cannot say and nothing is remembered. */
  async resolve(proof: Proof, requestId: string): Promise<Principal | null> {
    if (proof.kind === 'identity') {
      const account = await this.#identities.resolve(idOf(proof), requestId)
      return account && this.#judgeIdentity(proof, account)
    }
    const key = await this.#keys.resolve(keyIdOf(proof), requestId)
    return key && this.#judgeKey(proof, key, Date.now())
  }

  forget({ kind, id }: Change): void {
    switch (kind) {
      case 'key':
        this.#keys.forget(id)
        return
      case 'account':
        for (const records of [this.#keys, this.#identities]) records.forgetGroup(id)
        return
      case 'experiment':
    }
  }

  /** Changes may have been missed: what is remembered only counts while the database cannot say. */
  doubtAll(): void {
    this.#keys.doubtAll()
    this.#identities.doubtAll()
  }

  #judgeKey(proof: KeyProof | TokenProof, key: KeyStanding, nowMs: number): Principal | null {
    if (!isUsable(key, nowMs)) return null
    return this.#makeOnce(proof, key, terms => principalOfKey(proof, key, terms))
  }

  #judgeIdentity(proof: IdentityProof, account: AccountStanding): Principal | null {
    if (account.accountStatus !== 'active') return null
    return this.#makeOnce(proof, account, terms => principalOfIdentity(proof, account, terms))
  }

  #makeOnce(proof: Proof, standing: AccountStanding, make: (terms: Terms) => Principal | null): Principal | null {
    const tiers = this.#options.tiers()
    const known = this.#made.get(proof)
    if (known?.standing === standing && known.tiers === tiers) return known.principal
    const principal = make({ tiers, limits: this.#limitsOf(standing, tierOf(proof, standing), tiers) })
    this.#made.set(proof, { standing, tiers, principal })
    return principal
  }

  /** Once for each standing as long as its limits stay the same: others keep what they know of a set by the object it is. */
  #limitsOf(standing: AccountStanding, tier: string, tiers: Tiers): LimitSet {
    const byTier = this.#limits.get(standing) ?? new Map<string, LimitsMade>()
    const known = byTier.get(tier)
    if (known?.tiers === tiers) return known.set
    const made = limitsIn(tier, standing, tiers)
    const set = known?.set.fingerprint === made.fingerprint ? known.set : made
    this.#limits.set(standing, byTier.set(tier, { tiers, set }))
    return set
  }
}

const keyIdOf = (proof: KeyProof | TokenProof): string => (proof.kind === 'key' ? proof.publicId : proof.keyId)

/** Of an identity, as one text; the configuration lets no issuer have a control character. */
const idOf = ({ issuer, subject }: Identity): string => `${issuer}\n${subject}`

function identityOf(id: string): Identity {
  const end = id.indexOf('\n')
  return { issuer: id.slice(0, end), subject: id.slice(end + 1) }
}
