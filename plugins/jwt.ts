import { randomUUID } from 'node:crypto'
import jwtLibrary, { type FastifyJWTOptions, type JWT } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { KeySet } from '../src/auth/jwks.ts'
import type { Config } from '../src/config.ts'
import type { Peppers } from '../src/domain/api-key.ts'
import { type Jwt, parseJwt } from '../src/domain/jwt.ts'
import { type ClaimRules, type Claims, readClaims } from '../src/domain/jwt-claims.ts'
import { deriveTokenSecret, type OwnClaims, ownIssuer, readOwnClaims, writeOwnClaims } from '../src/domain/own-token.ts'
import type { IdentityProof, TokenProof } from '../src/domain/proof.ts'
import { WeirError } from '../src/errors.ts'

type TokenVerdict = IdentityProof | TokenProof | null

interface Tokens {
  /**
   * What a JWT proves, or null where it is not to be believed; nothing of it is remembered. Rejects with a WeirError
   * `authUnavailable` while the keys of its issuer cannot be had.
   */
  verify(text: string): Promise<TokenVerdict>
  /** Makes a token of our own for an API key. */
  issue(claims: OwnClaims): string
  /** Of issuers that publish their keys, by their names in the configuration. */
  readonly keySets: ReadonlyMap<string, KeySet>
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly tokens: Tokens
  }
}

declare module '@fastify/jwt' {
  interface FastifyJWT {
    namespaces: string
  }
}

interface JwtOptions {
  readonly config: { readonly auth: Pick<Config['auth'], 'issuers'> }
  readonly peppers: Peppers
}

type Issuer = Config['auth']['issuers'][string]
type Verifier = (jwt: Jwt) => Promise<TokenVerdict>

const cannotCheck = 'Tokens of this issuer cannot be checked at the moment. Try again shortly.'

/** The library as it is registered for one issuer, or for one secret of our own. */
async function registerLibrary(scope: FastifyInstance, namespace: string, options: FastifyJWTOptions): Promise<JWT> {
  await scope.register(jwtLibrary, { ...options, namespace })
  const library = scope.jwt[namespace]
  if (!library) throw new Error(`@fastify/jwt did not register ${namespace}`)
  return library
}

/** What the library has to be told: by itself it lets through any issuer, any audience, and what never ends. */
function strictly(issuer: string, audience: readonly string[], clockToleranceMs: number) {
  const requiredClaims = ['iss', 'aud', 'exp']
  return {
    allowedIss: issuer,
    allowedAud: [...audience],
    requiredClaims,
    clockTolerance: clockToleranceMs,
    cache: false,
  }
}

/** Whether the library believes it too; the claims have been read by then, and it is the signature that is in question. */
function isGenuine(library: JWT, jwt: Jwt, options?: Parameters<JWT['verify']>[1]): boolean {
  try {
    // Where it has to fetch a key it answers a promise, which has not verified anything yet.
    return 'iss' in library.verify<object>(jwt.text, options)
  } catch {
    return false
  }
}

function proofOf(issuer: Issuer, claims: Claims, isTrusted: () => boolean): IdentityProof {
  return { kind: 'identity', issuer: issuer.issuer, ...claims, isTrusted }
}

/** HS256 by the issuer's secret. The name of a key does not matter: there is one. */
async function verifyBySecret(scope: FastifyInstance, secret: string, rules: Issuer & ClaimRules): Promise<Verifier> {
  const library = await registerLibrary(scope, `issuer ${rules.issuer}`, {
    secret: { public: Buffer.from(secret, 'utf8') },
    verify: { ...strictly(rules.issuer, rules.audience, rules.clockToleranceMs), algorithms: ['HS256'] },
  })
  return async jwt => {
    if (jwt.algorithm !== 'HS256') return null
    const claims = readClaims(jwt.claims, rules, Date.now())
    return claims !== null && isGenuine(library, jwt) ? proofOf(rules, claims, () => true) : null
  }
}

/** By the keys that the issuer publishes. What a token says of itself is read first, so that most forgeries cost no fetch. */
async function verifyByKeySet(scope: FastifyInstance, keySet: KeySet, rules: Issuer & ClaimRules): Promise<Verifier> {
  const { algorithms } = rules
  const library = await registerLibrary(scope, `issuer ${rules.issuer}`, {
    // Never asked: each call brings the key that its token names.
    secret: { public: async () => '' },
    verify: { ...strictly(rules.issuer, rules.audience, rules.clockToleranceMs), algorithms: [...algorithms] },
  })
  return async jwt => {
    const algorithm = algorithms.find(name => name === jwt.algorithm)
    const claims = readClaims(jwt.claims, rules, Date.now())
    if (algorithm === undefined || claims === null) return null
    const found = await keySet.find(jwt.kid, algorithm)
    if (found.kind === 'unavailable') {
      throw new WeirError('authUnavailable', cannotCheck, { retryAfterMs: found.retryAfterMs })
    }
    if (found.kind === 'unknown') return null
    const { key } = found
    if (!isGenuine(library, jwt, { key: key.pem, algorithms: [algorithm] })) return null
    return proofOf(rules, claims, () => keySet.has(key))
  }
}

/** Null for an issuer that publishes none. */
function openKeySet(scope: FastifyInstance, { jwksUrl, algorithms }: Issuer): KeySet | null {
  if (jwksUrl === undefined) return null
  const keySet = new KeySet({ url: jwksUrl, algorithms, log: scope.log })
  scope.addHook('onClose', () => keySet.close())
  return keySet
}

async function verifyIssuer(scope: FastifyInstance, issuer: Issuer, keySet: KeySet | null): Promise<Verifier> {
  const rules = {
    ...issuer,
    get tierNames() {
      return Object.keys(scope.configuration.current.tiers)
    },
  }
  if (issuer.secret !== undefined) return verifyBySecret(scope, issuer.secret, rules)
  if (keySet !== null) return verifyByKeySet(scope, keySet, rules)
  throw new Error(`the issuer ${issuer.issuer} has neither a secret nor a jwksUrl`)
}

/** One for each version of the pepper, by the `kid` of its tokens. */
async function registerOwn(scope: FastifyInstance, { byVersion }: Peppers): Promise<ReadonlyMap<string, JWT>> {
  const libraries = new Map<string, JWT>()
  for (const [version, pepper] of byVersion) {
    const kid = String(version)
    const library = await registerLibrary(scope, `own ${kid}`, {
      secret: Buffer.from(deriveTokenSecret(pepper)),
      sign: { algorithm: 'HS256', kid },
      verify: { ...strictly(ownIssuer, [ownIssuer], 0), algorithms: ['HS256'] },
    })
    libraries.set(kid, library)
  }
  return libraries
}

function verifyOwn(libraries: ReadonlyMap<string, JWT>): Verifier {
  return async jwt => {
    const library = libraries.get(jwt.kid ?? '')
    if (library === undefined || jwt.algorithm !== 'HS256') return null
    const claims = readOwnClaims(jwt.claims, Date.now())
    if (claims === null || !isGenuine(library, jwt)) return null
    const { keyId, scopes, expiresAtMs } = claims
    return { kind: 'token', keyId, scopes, expiresAtMs }
  }
}

/** Tokens of the configured issuers, and those of our own. Each issuer has a verifier of its own, found by the claim `iss`. */
export default fp<JwtOptions>(
  async (app, { config, peppers }) => {
    const verifiers = new Map<string, Verifier>()
    const keySets = new Map<string, KeySet>()
    let own: ReadonlyMap<string, JWT> = new Map()
    // In a scope of its own: what the library puts on requests is not for those of the application.
    await app.register(async scope => {
      own = await registerOwn(scope, peppers)
      for (const [name, issuer] of Object.entries(config.auth.issuers)) {
        const keySet = openKeySet(scope, issuer)
        if (keySet !== null) keySets.set(name, keySet)
        verifiers.set(issuer.issuer, await verifyIssuer(scope, issuer, keySet))
      }
    })
    verifiers.set(ownIssuer, verifyOwn(own))
    const signer = own.get(String(peppers.current))
    if (!signer) throw new Error(`there is no pepper of version ${peppers.current}`)
    app.decorate('tokens', {
      verify: async text => {
        const jwt = parseJwt(text)
        const issuer = jwt?.claims['iss']
        const verifier = typeof issuer === 'string' ? verifiers.get(issuer) : undefined
        return jwt && verifier ? verifier(jwt) : null
      },
      issue: claims => signer.sign(writeOwnClaims(claims, randomUUID())),
      keySets,
    })
  },
  { name: 'jwt', fastify: '5.x', dependencies: ['configuration'] },
)
