/** What was changed and must not be believed any longer as it was remembered, here and on the other replicas. */
export interface Change {
  readonly kind: 'account' | 'key' | 'experiment'
  /** The account's id, the key's public id, or the experiment's name. */
  readonly id: string
}
