/** What the thread of the probes is given, and what it answers once. */
export interface ProbeOptions {
  readonly memory: SharedArrayBuffer
  readonly host: string
  readonly port: number
}

export type FromProbe =
  | { readonly kind: 'listening'; readonly address: string; readonly port: number }
  /** With what describes it to whoever started the server; an Error loses that on its way between threads. */
  | { readonly kind: 'failed'; readonly message: string; readonly details: object }
