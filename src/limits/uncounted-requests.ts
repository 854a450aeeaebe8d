import type { Amounts, LimitSet } from '../domain/limit.ts'

interface OfAccount {
  readonly running: Set<string>
  /** Questions that are under way of what the account has used. */
  questions: number
  /** What has ended during them, and is still to be counted. */
  readonly ended: Map<string, () => void>
}

/** While it is open, what ends of an account is in no answer of the ledger, and counted when it is closed. */
export interface Window {
  /** Requests that are to be left out of an answer, by their ids: asked in the moment in which the ledger is. */
  ids(): readonly string[]
  close(): void
}

/**
 * Requests by days and months that they have no limit of. Whoever asks the ledger what an account has used could be told of
 * those that end meanwhile, or not: so they are left out there, and counted here by hand.
 */
export class UncountedRequests {
  readonly #count: (set: LimitSet, used: Amounts, startedUs: number) => void
  readonly #accounts = new Map<string, OfAccount>()

  /** `count`: adds to the counts there are what a request has used; see uncountedOf. */
  constructor(count: (set: LimitSet, used: Amounts, startedUs: number) => void) {
    this.#count = count
  }

  /** `id`: as the ledger has it. To be ended once. */
  begin(id: string, { accountId }: LimitSet): void {
    this.#of(accountId).running.add(id)
  }

  /** With what it has really used. `startedUs`: microseconds since 1970. Never waits, never throws. */
  end(id: string, set: LimitSet, { used, startedUs }: { readonly used: Amounts; readonly startedUs: number }): void {
    const account = this.#of(set.accountId)
    account.running.delete(id)
    if (account.questions > 0) account.ended.set(id, () => this.#count(set, used, startedUs))
    else {
      this.#count(set, used, startedUs)
      this.#forgetIdle(set.accountId)
    }
  }

  open(accountId: string): Window {
    const account = this.#of(accountId)
    account.questions++
    return {
      ids: () => [...account.running, ...account.ended.keys()],
      close: () => {
        account.questions--
        // Another answer may still be without them.
        if (account.questions > 0) return
        for (const count of account.ended.values()) count()
        account.ended.clear()
        this.#forgetIdle(accountId)
      },
    }
  }

  #of(accountId: string): OfAccount {
    let account = this.#accounts.get(accountId)
    if (account === undefined) {
      account = { running: new Set(), questions: 0, ended: new Map() }
      this.#accounts.set(accountId, account)
    }
    return account
  }

  #forgetIdle(accountId: string): void {
    const account = this.#accounts.get(accountId)
    if (account?.running.size === 0 && account.questions === 0) this.#accounts.delete(accountId)
  }
}
