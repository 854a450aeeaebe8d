/** What was changed and must not be believed any longer as it was remembered, here and on the other replicas. */
export interface Change {
  readonly kind: 'account' | 'key'
  /** The account's id, or the key's public id. */
  readonly id: string
}
