/** Creation that can be asked for twice: by the same Idempotency-Key there is one record, and one secret. */
import { hash } from 'node:crypto'
import type { Origin } from '../store/accounts.ts'
import { type Actor, nameOfActor } from './actor.ts'
import { conflict } from './context.ts'

/** What is asked to be made. */
export interface CreationRequest<Body> {
  readonly body: Body
  readonly idempotencyKey: string | null
}

/** The second time there is the record as it is by now, without what is shown only once. */
export type Creation<Fresh, Record> =
  | { readonly kind: 'made'; readonly record: Fresh }
  | { readonly kind: 'replayed'; readonly record: Record }

/** @param operation what it makes, with the id of what it makes it from. */
export function originOf(actor: Actor, operation: string, request: CreationRequest<object>): Origin {
  const text = `${operation}\n${canonical(request.body)}`
  return {
    createdBy: nameOfActor(actor),
    idempotencyKey: request.idempotencyKey,
    requestDigest: hash('sha256', text, 'buffer'),
  }
}

/** Throws where the Idempotency-Key was used for something else. */
export function requireSameRequest(origin: Origin, earlier: { readonly requestDigest: Buffer }): void {
  if (origin.requestDigest.equals(earlier.requestDigest)) return
  throw conflict('This Idempotency-Key was used for another request: take a new one for each.', 'idempotency-key')
}

/** JSON with the keys of each object in one order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
