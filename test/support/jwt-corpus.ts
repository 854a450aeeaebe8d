/** Tokens that must not be believed, each with its one fault; without that fault each would be. */
import { type Corpus, goodClaims, hostileClaims, type Issuers, inSeconds } from './jwt-corpus-claims.ts'
import {
  assemble,
  encode,
  forge,
  hmacOf,
  type Json,
  jwkOf,
  makeKeyPair,
  signerOf,
  signHs256,
  signJwt,
} from './jwt-maker.ts'

const text = JSON.stringify

/** Every fault by its name. */
export function hostileTokens(issuers: Issuers): Corpus {
  return {
    ...algorithms(issuers),
    ...headers(issuers),
    ...hostileClaims(issuers),
    ...forms(issuers),
    ...strangers(issuers),
  }
}

/** What a token can say of how it is signed. */
function algorithms(issuers: Issuers): Corpus {
  const { published, secret } = issuers
  const { pair, ec, kid } = published
  const good = goodClaims(issuers)
  const ofSecret = { ...good, iss: secret.issuer }
  const token = signJwt(pair, good, { kid })
  const unsigned = (alg: string, payload = good) => `${encode(text({ alg, kid }))}.${encode(text(payload))}.`
  const jwk = text(jwkOf(pair, kid))
  return {
    'alg none, no signature': unsigned('none'),
    'alg NoNe, no signature': unsigned('NoNe'),
    'alg NONE, no signature': unsigned('NONE'),
    'alg none at the issuer with a secret': unsigned('none', ofSecret),
    'alg none with a signature': forge(token, { header: { alg: 'none', kid } }),
    'alg nOnE with a signature': forge(token, { header: { alg: 'nOnE', kid } }),
    'alg RS256, no signature': unsigned('RS256'),
    'alg HS256, no signature': unsigned('HS256', ofSecret),
    'alg empty': forge(token, { header: { alg: '', kid } }),
    'alg absent': forge(token, { header: { kid } }),
    'alg null': forge(token, { header: { alg: null, kid } }),
    'alg a list': forge(token, { header: { alg: ['RS256'], kid } }),
    'alg in small letters': forge(token, { header: { alg: 'rs256', kid } }),
    'HS256 with the public key in PEM': signHs256(pair.pem, good, { kid }),
    'HS256 with the public key in PEM, trimmed': signHs256(pair.pem.trim(), good, { kid }),
    'HS256 with the public key as JWK': signHs256(jwk, good, { kid }),
    'HS256 with the public key in DER': signHs256(pair.publicKey.export({ type: 'spki', format: 'der' }), good, {
      kid,
    }),
    'HS256 with the public key, at the issuer with a secret': signHs256(pair.pem, ofSecret),
    'HMAC of an empty secret': signHs256('', ofSecret),
    'HMAC of the word secret': signHs256('secret', ofSecret),
    'HMAC of the secret and a line break': signHs256(`${secret.secret}\n`, ofSecret),
    'HS384 with the right secret': assemble('{"alg":"HS384"}', text(ofSecret), hmacOf(secret.secret, 'sha384')),
    'HS512 with the right secret': assemble('{"alg":"HS512"}', text(ofSecret), hmacOf(secret.secret, 'sha512')),
    'RS256 at the issuer with a secret': signJwt(pair, ofSecret, { kid }),
    'HS256 with the right secret, at the other issuer': signHs256(secret.secret, good, { kid }),
    'PS256 by name': forge(token, { header: { alg: 'PS256', kid } }),
    'RS512 by name': forge(token, { header: { alg: 'RS512', kid } }),
    'ES256 with the name of an RSA key': signJwt(ec, good, { kid }),
    'ES256 with a signature of zeros': `${encode(text({ alg: 'ES256', kid: 'ec' }))}.${encode(text(good))}.${encode(new Uint8Array(64))}`,
    'ES256 in DER': assemble(text({ alg: 'ES256', kid: 'ec' }), text(good), signerOf(ec, 'der')),
    'a JWT of five parts': `${token}.AAAA.AAAA`,
  }
}

/** What else a header can say. */
function headers(issuers: Issuers): Corpus {
  const { published, trapUrl } = issuers
  const { pair, kid } = published
  const good = goodClaims(issuers)
  const stranger = makeKeyPair('RS256')
  const withHeader = (header: Json, by = pair) => signJwt(by, good, header)
  const kids = [
    'other',
    '',
    '../../../../dev/null',
    "' or 1=1 --",
    '0',
    'constructor',
    '__proto__',
    `${kid}\0`,
    `${kid} `,
    'RSA',
  ]
  return {
    ...Object.fromEntries(kids.map(name => [`kid ${text(name)}`, withHeader({ kid: name })])),
    'kid a URL': withHeader({ kid: `${trapUrl}/kid` }),
    'kid of 300 letters': withHeader({ kid: 'k'.repeat(300) }),
    'kid a number': withHeader({ kid: 1 }),
    'kid null': withHeader({ kid: null }),
    'kid an object': withHeader({ kid: { toString: kid } }),
    'jku of the forger': withHeader({ kid, jku: `${trapUrl}/jku` }, stranger),
    'jku of the forger, kid unknown': withHeader({ kid: 'mine', jku: `${trapUrl}/jku` }, stranger),
    'x5u of the forger': withHeader({ kid, x5u: `${trapUrl}/x5u` }, stranger),
    'jwk of the forger': withHeader({ jwk: jwkOf(stranger) }, stranger),
    'jwk of the forger with our kid': withHeader({ kid, jwk: jwkOf(stranger, kid) }, stranger),
    'x5c of the forger': withHeader(
      { kid, x5c: [encode(stranger.publicKey.export({ type: 'spki', format: 'der' }))] },
      stranger,
    ),
    'crit with what we do not know': withHeader({ kid, crit: ['exp'], exp: inSeconds(600) }),
    'crit empty': withHeader({ kid, crit: [] }),
    'crit null': withHeader({ kid, crit: null }),
    'an unencoded payload': withHeader({ kid, b64: false, crit: ['b64'] }),
    'typ of something else': withHeader({ kid, typ: 'secevent+jwt' }),
    'a header with alg twice': assemble(`{"alg":"none","alg":"RS256","kid":"${kid}"}`, text(good), signerOf(pair)),
    'a header with a prototype': assemble(`{"__proto__":{},"alg":"RS256","kid":"${kid}"}`, text(good), signerOf(pair)),
    'a header that is a list': assemble('["RS256"]', text(good), signerOf(pair)),
  }
}

/** How a right token can be written wrongly. */
function forms(issuers: Issuers): Corpus {
  const { pair, kid } = issuers.published
  const token = signJwt(pair, goodClaims(issuers), { kid })
  const [header = '', payload = '', signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const flipped = Uint8Array.from(bytes, (byte, index) => (index === 100 ? byte ^ 1 : byte))
  return {
    'a token of 100 KB': signJwt(pair, goodClaims(issuers, { x: 'x'.repeat(75_000) }), { kid }),
    'a token just too long': signJwt(pair, goodClaims(issuers, { x: 'x'.repeat(6000) }), { kid }),
    'bytes behind the signature': `${header}.${payload}.${encode(Buffer.concat([bytes, Uint8Array.of(0)]))}`,
    'a signature that is cut': `${header}.${payload}.${encode(bytes.subarray(0, -1))}`,
    'a signature with one bit changed': `${header}.${payload}.${encode(flipped)}`,
    'a signature of nothing but zeros': `${header}.${payload}.${encode(new Uint8Array(bytes.length))}`,
    'padding behind the signature': `${token}==`,
    'the alphabet of plain base64': `${header}.${payload}.${bytes.toString('base64')}`,
    'a space in front': ` ${token}`,
    'a line break inside': token.replace('.', '.\n'),
    'a full stop behind': `${token}.`,
    'a full stop in front': `.${token}`,
    'two parts': `${header}.${payload}`,
    'no payload': `${header}..${signature}`,
    'the signature of another token': `${header}.${payload}.${signJwt(pair, goodClaims(issuers, { sub: 'bob' }), { kid }).split('.')[2]}`,
    'another subject under the same signature': forge(token, { claims: goodClaims(issuers, { sub: 'bob' }) }),
    'an empty text between full stops': '..',
  }
}

/** Tokens of keys that are not the issuer's, and of our own name. */
function strangers(issuers: Issuers): Corpus {
  const { published, own } = issuers
  const { kid } = published
  const good = goodClaims(issuers)
  const claimsOfOwn = JSON.parse(Buffer.from(own.split('.')[1] ?? '', 'base64url').toString()) as Json
  const ofOwn = (header: Json, secret: string | Uint8Array) => signHs256(secret, claimsOfOwn, header)
  return {
    'RS256 by a stranger': signJwt(makeKeyPair('RS256'), good, { kid }),
    'EdDSA by a stranger': signJwt(makeKeyPair('EdDSA'), good, { kid: 'ed' }),
    'ES256 by a stranger': signJwt(makeKeyPair('ES256'), good, { kid: 'ec' }),
    'our own with more scopes': forge(own, { claims: { ...claimsOfOwn, scope: 'chat admin' } }),
    'our own for another key': forge(own, { claims: { ...claimsOfOwn, key: '1bbbbbbbbbbbbbbb' } }),
    'our own without end': forge(own, { claims: { ...claimsOfOwn, exp: undefined } }),
    'our own with alg none': forge(own, { header: { alg: 'none', kid: '1' }, signature: '' }),
    'our own without kid': forge(own, { header: { alg: 'HS256' } }),
    'our own of a pepper that is not there': forge(own, { header: { alg: 'HS256', kid: '7' } }),
    'our own with an empty secret': ofOwn({ kid: '1' }, ''),
    'our own with the secret of another issuer': ofOwn({ kid: '1' }, issuers.secret.secret),
    'our own by a public key': signJwt(published.pair, claimsOfOwn, { kid: '1' }),
  }
}
