/**
 * JSON Web Tokens as they are presented: the compact form of a signed one (RFC 7515, RFC 7519), read strictly. What is
 * here says nothing about whether a token is genuine.
 */
import { Buffer } from 'node:buffer'
import { parseBody } from './body-parse.ts'

/** Headers of requests have 16 KiB in all; tokens of real issuers take one or two. */
const maxLength = 8192
const maxKidLength = 256
const shape = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

export type JsonObject = Readonly<Record<string, unknown>>

export interface Jwt {
  readonly text: string
  readonly algorithm: string
  /** The name of the key that it says it was signed with; null where it says none. */
  readonly kid: string | null
  readonly claims: JsonObject
}

/** Whether a credential has the form of a JWT, so that it cannot be an API key of ours. */
export function looksLikeJwt(text: string): boolean {
  return text.length <= maxLength && shape.test(text)
}

/**
 * Reads a token, or answers null for whatever is not written exactly as the standard has it. Every token has one spelling
 * only: what another decoder might drop (padding, bits at the end, a second key of the same name) is refused.
 */
export function parseJwt(text: string): Jwt | null {
  if (!looksLikeJwt(text)) return null
  const [headerText = '', claimsText = '', signature = ''] = text.split('.')
  const header = readObject(headerText)
  if (header === null || decode(signature) === null) return null
  const { alg: algorithm, kid } = header
  if (typeof algorithm !== 'string' || !isKid(kid) || !isTyp(header['typ'])) return null
  // Whoever writes it demands that we understand more than we do. Addresses of keys (jku, x5u) and keys themselves (jwk,
  // x5c) are the forger's to choose: nothing here looks at them.
  if (Object.hasOwn(header, 'crit')) return null
  const claims = readObject(claimsText)
  return claims === null ? null : { text, algorithm, kid: kid ?? null, claims }
}

/** The bytes of a segment, or null unless it is what encoding those bytes gives. */
function decode(segment: string): Buffer | null {
  const bytes = Buffer.from(segment, 'base64url')
  return bytes.toString('base64url') === segment ? bytes : null
}

function readObject(segment: string): JsonObject | null {
  const bytes = decode(segment)
  if (bytes === null) return null
  try {
    return parseBody(bytes).value
  } catch {
    return null
  }
}

function isKid(kid: unknown): kid is string | undefined {
  return kid === undefined || (typeof kid === 'string' && kid.length <= maxKidLength)
}

function isTyp(typ: unknown): boolean {
  return typ === undefined || (typeof typ === 'string' && /^(at\+)?jwt$/i.test(typ))
}
