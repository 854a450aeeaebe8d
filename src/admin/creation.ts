/** Creation that can be asked for twice: by the same Idempotency-Key there is one record, and one secret. */
import { hash } from 'node:crypto'
import { WeirError } from '../errors.ts'
import type { Origin } from '../store/accounts.ts'
import { retryStale } from '../store/change-outcome.ts'
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

interface Making<Fresh, Record> {
  /** What the same caller has made by the same Idempotency-Key. */
  readonly findEarlier: (
    createdBy: string,
    idempotencyKey: string,
  ) => Promise<{ readonly record: Record; readonly requestDigest: Buffer } | null>
  readonly make: () => Promise<Fresh | 'stale'>
}

/** Makes a record unless this request has made it before. Throws where its Idempotency-Key was used for something else. */
export async function makeOnce<Fresh extends object, Record>(
  { createdBy, idempotencyKey, requestDigest }: Origin,
  { findEarlier, make }: Making<Fresh, Record>,
): Promise<Creation<Fresh, Record>> {
  const findReplay = async () => {
    const earlier = idempotencyKey === null ? null : await findEarlier(createdBy, idempotencyKey)
    if (earlier === null) return null
    if (earlier.requestDigest.equals(requestDigest)) return { kind: 'replayed', record: earlier.record } as const
    throw conflict('This Idempotency-Key was used for another request: take a new one for each.', 'idempotency-key')
  }
  return await retryStale(async () => {
    const replay = await findReplay()
    if (replay !== null) return replay
    try {
      const record = await make()
      return record === 'stale' ? 'stale' : { kind: 'made', record }
    } catch (error) {
      // It may be in its own way: sent twice at once, the other one has the name by now, or has replaced the key.
      const late = error instanceof WeirError ? await findReplay() : null
      if (late === null) throw error
      return late
    }
  })
}

/** JSON with the keys of each object in one order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
