import type { Sql } from 'postgres'
import type { Config } from '../config.ts'
import { pageOfAccountIds, pageOfLimitedKeys, type Spender, tiersOfTokens } from '../store/period-usage.ts'
import { dayMs, startOfDay } from './usage-marks.ts'

interface Place {
  readonly of: 'accounts' | 'keys'
  /** The id of the last one; null at the start. */
  readonly after: string | null
}

const start: Place = { of: 'accounts', after: null }
const pageSize = 100

/** A look at everybody, page by page. It knows its place: what fails is tried again there, and not from the start. */
export class Sweep {
  #place: Place | null = null
  #isToBeginAgain = false

  get isDue(): boolean {
    return this.#place !== null
  }

  /** Everybody is to be looked at: those of earlier pages once more, but not before the later ones had their turn. */
  ask(): void {
    if (this.#place === null) this.#place = start
    else if (this.#place !== start) this.#isToBeginAgain = true
  }

  /** Who is next, with today's and yesterday's usage, and that of their months. Where it throws the place stays the same. */
  async nextPage(sql: Sql, { auth }: Pick<Config, 'auth'>): Promise<readonly Spender[]> {
    const place = this.#place
    if (place === null) return []
    const today = startOfDay(Date.now())
    const onDays = (whose: Omit<Spender, 'dayMs'>) => [today - dayMs, today].map(day => ({ ...whose, dayMs: day }))
    if (place.of === 'keys') {
      const keys = await pageOfLimitedKeys(sql, place.after, pageSize)
      this.#place = placeAfter('keys', keys.at(-1)?.keyId)
      if (this.#place === null) this.#end()
      return keys.flatMap(key => onDays({ ...key, tier: null }))
    }
    const ids = await pageOfAccountIds(sql, place.after, pageSize)
    // Tokens of an issuer may say a tier of their own; nothing but usage tells which.
    const haveTiers = Object.values(auth.issuers).some(({ claims }) => claims.tier !== undefined)
    const byTier = haveTiers && ids.length > 0 ? await tiersOfTokens(sql, ids, today - dayMs) : []
    this.#place = placeAfter('accounts', ids.at(-1)) ?? { of: 'keys', after: null }
    const whose = [...ids.map(accountId => ({ accountId, tier: null })), ...byTier]
    return whose.flatMap(account => onDays({ ...account, keyId: null }))
  }

  #end(): void {
    this.#place = this.#isToBeginAgain ? start : null
    this.#isToBeginAgain = false
  }
}

const placeAfter = (of: Place['of'], after: string | null | undefined): Place | null =>
  after === null || after === undefined ? null : { of, after }
