/** The part of the corpus that is rightly signed and claims what must not be believed. */
import { assemble, type Json, type KeyPair, signerOf, signJwt } from './jwt-maker.ts'

export type Corpus = Readonly<Record<string, string>>

/** An issuer that publishes keys, one that has a secret, and ourselves. */
export interface Issuers {
  readonly published: { readonly issuer: string; readonly kid: string; readonly pair: KeyPair; readonly ec: KeyPair }
  readonly secret: { readonly issuer: string; readonly secret: string }
  readonly audience: string
  /** A token of our own that holds. */
  readonly own: string
  /** Where a listener counts who comes. */
  readonly trapUrl: string
}

export const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds
const text = JSON.stringify

export function goodClaims({ published, audience }: Issuers, changed: Json = {}): Json {
  return { iss: published.issuer, aud: audience, sub: 'alice', exp: inSeconds(600), ...changed }
}

/** What a rightly signed token can claim. */
export function hostileClaims(issuers: Issuers): Corpus {
  const { published, audience } = issuers
  const { pair, kid, issuer } = published
  const withClaims = (changed: Json) => signJwt(pair, goodClaims(issuers, changed), { kid })
  const withPayload = (payload: string) => assemble(text({ alg: 'RS256', kid }), payload, signerOf(pair))
  const good = text(goodClaims(issuers)).slice(1, -1)
  const changes: Readonly<Record<string, Json>> = {
    'exp absent': { exp: undefined },
    'exp null': { exp: null },
    'exp text': { exp: String(inSeconds(600)) },
    'exp a list': { exp: [inSeconds(600)] },
    'exp true': { exp: true },
    'exp now': { exp: inSeconds(0) },
    'exp in the past, within the tolerance': { exp: inSeconds(-5) },
    'exp in the past': { exp: 1 },
    'exp negative': { exp: -inSeconds(600) },
    'exp 0': { exp: 0 },
    'exp in milliseconds of another age': { exp: 1e17 },
    'nbf in the future': { nbf: inSeconds(120) },
    'nbf text': { nbf: '0' },
    'nbf null': { nbf: null },
    'iat in the future': { iat: inSeconds(120) },
    'iat text': { iat: '0' },
    'aud absent': { aud: undefined },
    'aud of another': { aud: 'https://other.example' },
    'aud a beginning of ours': { aud: audience.slice(0, -1) },
    'aud in capitals': { aud: audience.toUpperCase() },
    'aud a list without ours': { aud: ['a', 'b'] },
    'aud an empty list': { aud: [] },
    'aud a list with a number': { aud: [audience, 1] },
    'aud an object': { aud: { [audience]: true } },
    'aud null': { aud: null },
    'iss absent': { iss: undefined },
    'iss null': { iss: null },
    'iss of another': { iss: 'https://evil.example/' },
    'iss a list with ours': { iss: [issuer] },
    'iss a list with ours and another': { iss: ['https://evil.example/', issuer] },
    'iss without its slash': { iss: issuer.replace(/\/$/, '') },
    'iss __proto__': { iss: '__proto__' },
    'iss our own': { iss: 'weir', aud: 'weir', key: '1aaaaaaaaaaaaaaa', scope: 'admin' },
    'sub absent': { sub: undefined },
    'sub empty': { sub: '' },
    'sub a number': { sub: 1 },
    'sub a list': { sub: ['alice'] },
    'sub with a NUL': { sub: 'alice\0' },
    'sub with a line break': { sub: 'alice\nbob' },
    'sub of 300 letters': { sub: 'a'.repeat(300) },
    'a tier that is not there': { plan: 'gold' },
    'a tier that is a list': { plan: ['premium'] },
  }
  return {
    ...Object.fromEntries(Object.entries(changes).map(([name, changed]) => [name, withClaims(changed)])),
    'exp infinite': withPayload(`{${good},"exp":1e999}`.replace(/"exp":\d+,/, '')),
    'exp the word Infinity': withPayload(`{${good},"exp":Infinity}`.replace(/"exp":\d+,/, '')),
    'sub twice': withPayload(`{"sub":"admin",${good}}`),
    'exp twice': withPayload(`{${good},"exp":9999999999}`),
    'sub twice, one escaped': withPayload(`{"s\\u0075b":"admin",${good}}`),
    'sub half of a surrogate pair': withPayload(`{${good}}`.replace('"alice"', '"\\ud800"')),
    'a prototype in the payload': withPayload(`{"__proto__":{"sub":"admin"},${good}}`),
    'a payload that is a list': withPayload(`[{${good}}]`),
    'a payload that is text': withPayload(text(`{${good}}`)),
    'a payload that is null': withPayload('null'),
    'a payload that is empty': withPayload(''),
    'a payload with something behind it': withPayload(`{${good}}{}`),
    'a payload with a byte order mark': withPayload(`\ufeff{${good}}`),
    'a payload 2,500 deep': withPayload(`{${good},"x":${'['.repeat(2500)}${']'.repeat(2500)}}`),
  }
}
