/** The issuers of JWTs: whom Weir believes, by which keys, and what their claims may mean. */
import { isLoopback } from '../domain/loopback.ts'
import { ownIssuer } from '../domain/own-token.ts'
import type { Findings } from './findings.ts'
import { httpUrlFault } from './http-url.ts'
import { didYouMean } from './nearest.ts'
import type { KeyPath } from './place.ts'
import type { Complaint } from './problem.ts'
import type { Draft } from './references.ts'
import { weaknessOf } from './secrets.ts'

type IssuerDraft = NonNullable<NonNullable<NonNullable<Draft['auth']>['issuers']>[string]>

/** Where an issuer stands, and what it says as far as it fits the schema. */
interface Entry {
  readonly path: KeyPath
  readonly issuer: IssuerDraft
}

export function checkIssuers({ auth, tiers }: Draft, findings: Findings): void {
  const seen = new Map<string, string>()
  for (const [name, issuer] of Object.entries(auth?.issuers ?? {})) {
    if (issuer === undefined) continue
    const entry: Entry = { path: ['auth', 'issuers', name], issuer }
    checkName(entry, seen, findings)
    checkKeys(entry, findings)
    checkTiers(entry, Object.keys(tiers ?? {}), findings)
    checkUnused(entry, findings)
  }
}

function checkName({ path, issuer }: Entry, seen: Map<string, string>, findings: Findings): void {
  const name = issuer.issuer
  if (name === undefined) return
  if (name === ownIssuer) {
    const problem = `${JSON.stringify(ownIssuer)} is the issuer of Weir's own tokens.`
    findings.problem([...path, 'issuer'], { problem, fix: 'Write the `iss` of the tokens that you mean.' })
  }
  const first = seen.get(name)
  if (first !== undefined) {
    const problem = `The issuer is already there as auth.issuers.${first}.`
    findings.problem([...path, 'issuer'], { problem, fix: 'Remove one of the two.' })
  }
  seen.set(name, first ?? String(path.at(-1)))
}

function checkKeys({ path, issuer }: Entry, findings: Findings): void {
  const hasSecret = findings.isWritten([...path, 'secret'])
  const hasUrl = findings.isWritten([...path, 'jwksUrl'])
  if (hasSecret === hasUrl) {
    const problem = hasSecret ? 'The issuer has both secret and jwksUrl.' : 'The issuer has neither secret nor jwksUrl.'
    const fix = 'Write jwksUrl where it publishes keys, or secret where it signs by HS256, and not both.'
    findings.problem(hasSecret ? [...path, 'secret'] : path, { problem, fix })
  }
  const weakness = issuer.secret === undefined ? undefined : weaknessOf(issuer.secret)
  if (weakness) findings.problem([...path, 'secret'], weakness)
  if (hasSecret && findings.isWritten([...path, 'algorithms'])) {
    const problem = 'Tokens with a secret are HS256.'
    findings.problem([...path, 'algorithms'], { problem, fix: 'Remove the key, or write jwksUrl instead of secret.' })
  }
  if (issuer.jwksUrl !== undefined) checkUrl([...path, 'jwksUrl'], issuer.jwksUrl, findings)
}

function checkUrl(path: KeyPath, text: string, findings: Findings): void {
  const url = URL.parse(text)
  const fault = url === null ? httpUrlFault(text) : loginFault(url)
  if (fault) findings.problem(path, fault)
  else if (url?.protocol === 'http:' && !isLoopback(url.hostname)) {
    findings.warn(path, 'is plain http: whoever is on the way can put keys of their own into the answer')
  }
}

function loginFault(url: URL): Complaint | undefined {
  if (url.username === '' && url.password === '') return undefined
  return { problem: 'The URL has a login in it.', fix: 'Leave it out: keys that are published need none.' }
}

function checkTiers({ path, issuer }: Entry, known: readonly string[], findings: Findings): void {
  const written = Object.entries(issuer.tiers ?? {}).map(([value, tier]) => ({ at: [...path, 'tiers', value], tier }))
  for (const { at, tier } of [...written, { at: [...path, 'defaultTier'], tier: issuer.defaultTier }]) {
    // What is no text has been complained about.
    if (typeof tier !== 'string' || known.includes(tier)) continue
    const problem = `There is no tier ${JSON.stringify(tier)}.`
    findings.problem(at, { problem, fix: didYouMean(tier, known, `Known tiers: ${known.join(', ')}.`) })
  }
}

/** Keys that change nothing because another one is missing. */
function checkUnused({ path, issuer }: Entry, findings: Findings): void {
  const needs = [
    { key: 'tiers', isUsed: issuer.claims?.tier !== undefined, because: 'claims.tier is not set' },
    { key: 'scopeNames', isUsed: issuer.claims?.scopes !== undefined, because: 'claims.scopes is not set' },
    { key: 'defaultTier', isUsed: issuer.provision === true, because: 'provision is false' },
  ]
  for (const { key, isUsed, because } of needs) {
    if (!isUsed && findings.isWritten([...path, key])) {
      findings.warn([...path, key], `is not used, because ${because}`)
    }
  }
}
