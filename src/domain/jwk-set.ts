/** The keys that an issuer publishes (RFC 7517): which of them can check a signature, and how. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { KeySetAlgorithm } from '../schemas/config/issuers.ts'

const maxKeys = 100
const minModulusBits = 2048
/** Checking a signature by a larger one takes milliseconds. */
const maxModulusBits = 8192

export interface VerificationKey {
  /** Null where it has no name: only a token that names none can mean it. */
  readonly kid: string | null
  readonly algorithm: KeySetAlgorithm
  /** The public key: SubjectPublicKeyInfo in PEM. */
  readonly pem: string
}

type Members = Readonly<Record<string, unknown>>

/** What each kind of key needs besides `kty`, and what may be done with it; private and symmetric keys have no place here. */
const kinds: Readonly<Record<string, { readonly algorithm: KeySetAlgorithm; readonly members: readonly string[] }>> = {
  RSA: { algorithm: 'RS256', members: ['n', 'e'] },
  EC: { algorithm: 'ES256', members: ['crv', 'x', 'y'] },
  OKP: { algorithm: 'EdDSA', members: ['crv', 'x'] },
}

/**
 * The keys of a JWK set that can be used: RSA of 2048 to 8192 bits, EC on P-256, Ed25519; an entry that is anything else
 * is passed over, as the standard asks. Null where it is no JWK set, or one of more than 100 keys.
 */
export function parseJwkSet(value: unknown): readonly VerificationKey[] | null {
  if (!isObject(value) || !Array.isArray(value['keys']) || value['keys'].length > maxKeys) return null
  return value['keys'].flatMap(entry => (isObject(entry) ? (parseJwk(entry) ?? []) : []))
}

/**
 * The key that a token means by `kid`. A token that names none means the only key that fits; where two keys have one name,
 * the first holds.
 */
export function findKey(
  keys: readonly VerificationKey[],
  kid: string | null,
  algorithm: KeySetAlgorithm,
): VerificationKey | undefined {
  const fitting = keys.filter(key => key.algorithm === algorithm && (kid === null || key.kid === kid))
  return kid === null && fitting.length > 1 ? undefined : fitting[0]
}

function parseJwk(jwk: Members): VerificationKey | null {
  const { kid = null, kty } = jwk
  if (typeof kty !== 'string') return null
  const kind = Object.hasOwn(kinds, kty) ? kinds[kty] : undefined
  if (kind === undefined || (kid !== null && typeof kid !== 'string') || !mayVerify(jwk, kind.algorithm)) return null
  const parts = Object.fromEntries(kind.members.map(name => [name, jwk[name]]))
  try {
    const key = createPublicKey({ key: { kty, ...parts }, format: 'jwk' })
    if (!isStrong(key)) return null
    return { kid, algorithm: kind.algorithm, pem: key.export({ type: 'spki', format: 'pem' }).toString() }
  } catch {
    return null
  }
}

/** Whether the key is meant for this, and has not been given away: `d` is the private part. */
function mayVerify(jwk: Members, algorithm: KeySetAlgorithm): boolean {
  const { use = 'sig', alg = algorithm, key_ops: operations = ['verify'] } = jwk
  if (use !== 'sig' || alg !== algorithm || Object.hasOwn(jwk, 'd')) return false
  return Array.isArray(operations) && operations.includes('verify')
}

function isStrong({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = asymmetricKeyDetails ?? {}
  switch (asymmetricKeyType) {
    case 'rsa':
      // With an exponent of 1 every text is its own signature.
      return modulusLength >= minModulusBits && modulusLength <= maxModulusBits && publicExponent > 2n
    case 'ec':
      return namedCurve === 'prime256v1'
    default:
      return asymmetricKeyType === 'ed25519'
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
