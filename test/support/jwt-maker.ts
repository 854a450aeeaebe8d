/** Makes tokens and keys by node:crypto alone, so that the tests know nothing of the library that is tested. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export type Json = Readonly<Record<string, unknown>>

export interface KeyPair {
  readonly algorithm: 'RS256' | 'ES256' | 'EdDSA'
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly pem: string
}

export const encode = (value: string | Uint8Array) => Buffer.from(value).toString('base64url')
const encodeJson = (value: unknown) => encode(JSON.stringify(value))

export function makeKeyPair(algorithm: KeyPair['algorithm'], modulusLength = 2048): KeyPair {
  const { privateKey, publicKey } = generate(algorithm, modulusLength)
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  return { algorithm, privateKey, publicKey, pem }
}

function generate(algorithm: KeyPair['algorithm'], modulusLength: number) {
  switch (algorithm) {
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength })
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'EdDSA':
      return generateKeyPairSync('ed25519')
  }
}

/** The public key as an issuer publishes it. */
export function jwkOf({ algorithm, publicKey }: KeyPair, kid?: string, others: Json = {}): Json {
  const named = kid === undefined ? {} : { kid }
  return { ...publicKey.export({ format: 'jwk' }), ...named, use: 'sig', alg: algorithm, ...others }
}

/** A token of these two texts, whatever they are, with the signature that `signer` makes of what is signed. */
export function assemble(header: string, payload: string, signer: (input: string) => Uint8Array): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${encode(signer(input))}`
}

export const hmacOf = (secret: string | Uint8Array, hash = 'sha256') => {
  return (input: string) => createHmac(hash, secret).update(input).digest()
}

export function signerOf({ algorithm, privateKey }: KeyPair, dsaEncoding: 'ieee-p1363' | 'der' = 'ieee-p1363') {
  return (input: string) => {
    const hash = algorithm === 'EdDSA' ? null : 'sha256'
    return sign(hash, Buffer.from(input), { key: privateKey, dsaEncoding })
  }
}

/** A token as an issuer with a pair of keys makes it. */
export function signJwt(pair: KeyPair, claims: Json, header: Json = {}): string {
  const { algorithm } = pair
  return assemble(JSON.stringify({ alg: algorithm, typ: 'JWT', ...header }), JSON.stringify(claims), signerOf(pair))
}

/** A token as an issuer with a secret makes it. */
export function signHs256(secret: string | Uint8Array, claims: Json, header: Json = {}): string {
  return assemble(JSON.stringify({ alg: 'HS256', typ: 'JWT', ...header }), JSON.stringify(claims), hmacOf(secret))
}

/** The same token with other claims, header or signature: what a forger can do without any key. */
export function forge(
  token: string,
  { header, claims, signature }: { header?: Json; claims?: Json; signature?: string },
) {
  const [h = '', c = '', s = ''] = token.split('.')
  return [header ? encodeJson(header) : h, claims ? encodeJson(claims) : c, signature ?? s].join('.')
}
