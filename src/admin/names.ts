/** Names of accounts and keys: what people tell them apart by, so two that look the same are the same. */
import { WeirError } from '../errors.ts'

/** Whether a secret may be in a text. What is a name is kept, logged and shown; a secret is none of that. */
export const mayBeKey = (text: string): boolean => /sk-weir-/i.test(text)

/** As names are kept and looked up: one text for all the ways to write it. */
export const sameName = (name: string): string => name.normalize('NFC')

const invisible = /[\p{C}\p{Zl}\p{Zp}]/u
/** Of an account's id, which could be taken for another account's. */
const idLike = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** A new name as it is to be kept. Throws where it may not be one; the message does not repeat it. */
export function newName(text: string): string {
  const fault = faultOf(text)
  if (fault === null) return sameName(text)
  throw new WeirError('invalidRequest', `name ${fault}.`, { param: 'name' })
}

function faultOf(text: string): string | null {
  if (mayBeKey(text)) return 'must not be, or have in it, an API key'
  if (invisible.test(text)) return 'must not have characters that cannot be seen'
  if (text.trim() !== text) return 'must not begin or end with white space'
  return idLike.test(text) ? 'must not have the form of an id' : null
}
