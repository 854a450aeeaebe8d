/** Where answers are kept that may be given again: in Redis for all replicas, or in this process. */

/** Whom entries belong to, so that all of somebody's can be forgotten at once. */
export interface Belonging {
  /** `shared` where accounts share the answers of the model. */
  readonly owner: string
  readonly model: string
}

export interface Found {
  /** In the order of the keys; null where there is nothing. */
  readonly entries: readonly (Buffer | null)[]
  /**
   * Names the moment: what is put with it is not found any more once its owner or model was forgotten after that moment, however
   * late it is put.
   */
  readonly moment: string
}

export interface NewEntry {
  /** As answerKeyOf makes them. */
  readonly key: string
  readonly bytes: Buffer
}

export interface Kept extends Belonging {
  readonly moment: string
  readonly ttlMs: number
}

export type Forgetting =
  | { readonly kind: 'account'; readonly accountId: string }
  | { readonly kind: 'model'; readonly model: string }
  | { readonly kind: 'key'; readonly key: string }

/** Methods may reject, where the store cannot be reached; then nothing is known. */
export interface ResponseStore {
  find(keys: readonly string[], belonging: Belonging): Found | Promise<Found>
  put(entries: readonly NewEntry[], kept: Kept): void | Promise<void>
  /** Something is wrong with the entry. */
  remove(key: string): void | Promise<void>
  /** When it is fulfilled nobody finds any more what was kept before. */
  forget(what: Forgetting): void | Promise<void>
}

export interface StoreEvents {
  /** What all entries take now. */
  readonly onBytes: (bytes: number) => void
  /** Entries that had to make room for others. */
  readonly onEvicted: (entries: number) => void
}

/** Longer than any entry lives, so that what was forgotten stays so. */
export const forgottenMs = 25 * 86_400_000
