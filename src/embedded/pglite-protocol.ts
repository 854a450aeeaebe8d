/** What the thread that talks and the thread that runs PGlite say to each other. Answers come in the order asked. */

export interface WorkerOptions {
  /** Where the database's files are; the folder beside it is used while they are first made. */
  readonly databaseDir: string
}

export type ToWorker =
  /** Whole wire messages of a connection. */
  | { readonly kind: 'wire'; readonly connection: number; readonly bytes: Uint8Array }
  /** A new connection begins: nothing of the one before may be left. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'close' }

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'wire'; readonly connection: number; readonly bytes: Uint8Array }
  | { readonly kind: 'closed' }
