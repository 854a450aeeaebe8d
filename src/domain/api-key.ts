/**
 * The shape of an API key: `sk-weir-<public id>-<secret><checksum>`, all of it base62.
 *
 *   public id   16 digits: the version of the pepper, then 88 random bits; this part may be shown and logged
 *   secret      43 digits: 32 random bytes
 *   checksum    11 digits: 8 bytes of HMAC-SHA256(pepper, public id ‖ secret)
 *
 * The checksum lets a forged or mistyped key fail without a look-up. What is stored is a digest under the same pepper,
 * so neither the database nor its backups can be turned into a key. (A slow hash would buy nothing for 256 random bits.)
 */
import { createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import { decodeBase62Digit, encodeBase62, encodeBase62Digit } from './base62.ts'

const publicIdLength = 16
const secretLength = 43
const checksumLength = 11
const shape = /^sk-weir-([0-9A-Za-z]{16})-([0-9A-Za-z]{43})([0-9A-Za-z]{11})$/
/** Characters of every API key. */
export const apiKeyLength = 'sk-weir-'.length + publicIdLength + 1 + secretLength + checksumLength

/** Not base62, so no checksum input can ever be read as a digest input or the other way round. */
const digestLabel = 'weir:api-key:digest:1\0'

/** The secrets that key all digests. A new version signs new keys; the old ones stay for the keys they made. */
export interface Peppers {
  /** The version that new keys are made with: 1–61. */
  readonly current: number
  readonly byVersion: ReadonlyMap<number, KeyObject>
}

/** The one that new keys are made with. Throws where it is missing, which whoever loads them does not let happen. */
export function newestPepper({ byVersion, current }: Peppers): KeyObject {
  const pepper = byVersion.get(current)
  if (pepper === undefined) throw new Error(`there is no pepper of version ${current}`)
  return pepper
}

export interface ApiKeyIdentity {
  readonly publicId: string
  readonly pepperVersion: number
  /** What is stored: 32 bytes. */
  readonly digest: Buffer
}

export interface NewApiKey extends ApiKeyIdentity {
  /** The key itself: shown once, never kept. */
  readonly key: string
}

function checksumOf(pepper: KeyObject, publicId: string, secret: string): string {
  const mac = createHmac('sha256', pepper).update(publicId).update(secret).digest()
  return encodeBase62(mac.subarray(0, 8), checksumLength)
}

function digestOf(pepper: KeyObject, key: string): Buffer {
  return createHmac('sha256', pepper).update(digestLabel).update(key).digest()
}

/** Puts a key together from its random parts; `secret` is 32 bytes, `random` 11. */
export function formatApiKey(peppers: Peppers, secret: Uint8Array, random: Uint8Array): NewApiKey {
  const pepper = peppers.byVersion.get(peppers.current)
  if (!pepper) throw new RangeError(`there is no pepper of version ${peppers.current}`)
  const publicId = encodeBase62Digit(peppers.current) + encodeBase62(random, publicIdLength - 1)
  const secretText = encodeBase62(secret, secretLength)
  const key = `sk-weir-${publicId}-${secretText}${checksumOf(pepper, publicId, secretText)}`
  return { key, publicId, pepperVersion: peppers.current, digest: digestOf(pepper, key) }
}

export function makeApiKey(peppers: Peppers): NewApiKey {
  return formatApiKey(peppers, randomBytes(32), randomBytes(11))
}

/**
 * Reads a presented key: what to look up and the digest that the stored one must equal, or null when it cannot be a key
 * of this installation (wrong shape, unknown pepper, wrong checksum). Costs two HMACs at most, whatever it is given.
 */
export function parseApiKey(peppers: Peppers, presented: string): ApiKeyIdentity | null {
  if (presented.length !== apiKeyLength) return null
  const match = shape.exec(presented)
  const [, publicId = '', secret = '', checksum = ''] = match ?? []
  const pepperVersion = decodeBase62Digit(publicId.charAt(0))
  const pepper = peppers.byVersion.get(pepperVersion)
  if (!match || !pepper) return null
  if (!timingSafeEqual(Buffer.from(checksum), Buffer.from(checksumOf(pepper, publicId, secret)))) return null
  return { publicId, pepperVersion, digest: digestOf(pepper, presented) }
}

/** Whether two stored digests are the same, in a time that does not tell where they differ. */
export function isSameDigest(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right)
}
