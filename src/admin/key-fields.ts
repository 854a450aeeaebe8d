import { WeirError } from '../errors.ts'
import { findStoredKey, type StoredKey } from '../store/key-listing.ts'
import { invalid, type OperationsContext, parseTime, shown } from './context.ts'

/** The database takes not every text, and no other is an id. */
const idShape = /^[0-9A-Za-z]{16}$/

export async function getKey({ sql }: OperationsContext, id: string): Promise<StoredKey> {
  const key = idShape.test(id) ? await findStoredKey(sql, id) : null
  if (key !== null) return key
  throw noSuchKey(id)
}

/** Perhaps a whole key has been pasted: no more of it is said than its id has characters. */
const noSuchKey = (id: string): WeirError =>
  new WeirError('resourceNotFound', `There is no key with the id ${shown(id).slice(0, 16)}.`)

/** When a key is to end. Throws for a time that has passed. */
export function parseEnd(text: string | null): Date | null {
  if (text === null) return null
  const end = parseTime(text, 'expires_at')
  if (end.getTime() > Date.now()) return end
  throw invalid('expires_at', 'The key would have expired already.')
}
