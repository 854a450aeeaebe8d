/** What a schema cannot say: names that must exist, addresses, secrets, and keys that must fit one another. */
import { existsSync } from 'node:fs'
import type { ConfigFile } from '../schemas/config/root.ts'
import { checkBackends, checkServer, checkStores } from './addresses.ts'
import { checkExperiments } from './experiments.ts'
import { collectInto, type Findings } from './findings.ts'
import { checkIssuers } from './issuers.ts'
import { checkModels } from './models.ts'
import { dotted } from './place.ts'
import { checkPrices, checkTierLimits } from './prices.ts'
import type { Resolution } from './resolve.ts'
import type { Resolved } from './resolved.ts'
import { headerFault, weaknessOf } from './secrets.ts'
import { checkWebhooks } from './webhooks.ts'

/** A key says in one base62 digit which pepper made it. */
const maxFormerPeppers = 60

/** A value from which whatever did not fit the schema is missing. */
type Incomplete<Value> = Value extends readonly (infer Item)[]
  ? readonly Incomplete<Item>[]
  : Value extends object
    ? { readonly [Name in keyof Value]?: Incomplete<Value[Name]> | undefined }
    : Value

/** A configuration that has been checked against the schema, whatever came of it. */
export type Draft = Incomplete<Resolved<ConfigFile>>

/** Adds what it finds to the problems and warnings of `run`. */
export function checkReferences(resolved: Record<string, unknown>, run: Resolution): void {
  const draft: Draft = resolved
  const findings = collectInto(run)
  checkServer(draft, findings)
  checkStores(draft, findings)
  checkSecrets(draft, findings)
  checkIssuers(draft, findings)
  checkBackends(draft, findings)
  checkModels(draft, findings)
  checkExperiments(draft, findings)
  checkPrices(draft, findings)
  checkTierLimits(draft, findings)
  checkEngine(draft, findings)
  checkWebhooks(draft, findings)
}

function checkSecrets({ auth, backends, stores }: Draft, findings: Findings): void {
  const fix = 'Make one with `openssl rand -hex 32`.'
  const seen = new Map<string, string>()
  const own = [
    { path: ['auth', 'adminKey'], secret: auth?.adminKey },
    ...(auth?.previousKeyPeppers ?? []).map((secret, index) => ({
      path: ['auth', 'previousKeyPeppers', index],
      secret,
    })),
    { path: ['auth', 'keyPepper'], secret: auth?.keyPepper },
  ]
  for (const { path, secret } of own) {
    if (secret === undefined) continue
    const weakness = weaknessOf(secret)
    if (weakness) findings.problem(path, weakness)
    const other = seen.get(secret)
    if (other === undefined) seen.set(secret, dotted(path))
    else findings.problem(path, { problem: `It is the same as ${other}.`, fix })
  }
  const former = auth?.previousKeyPeppers?.length ?? 0
  if (former > maxFormerPeppers) {
    const problem = `There are more than ${maxFormerPeppers} former peppers.`
    const way = 'Rotate the keys of the oldest, take it away, and set auth.keyPepperVersion to what it is now.'
    findings.problem(['auth', 'previousKeyPeppers'], { problem, fix: way })
  }
  if (auth?.keyPepperVersion !== undefined && auth.keyPepperVersion <= former) {
    const problem = `There cannot be ${former} peppers before version ${auth.keyPepperVersion}.`
    findings.problem(['auth', 'keyPepperVersion'], { problem, fix: `Write ${former + 1} or more, or remove the key.` })
  }
  if (stores?.databaseUrl !== undefined && !findings.isWritten(['auth', 'keyPepper'])) {
    findings.problem(['auth', 'keyPepper'], {
      problem: 'A database of its own needs a pepper, which all replicas share.',
      fix: 'Set WEIR_KEY_PEPPER or WEIR_KEY_PEPPER_FILE; make one with `openssl rand -hex 32`.',
    })
  }
  for (const [name, backend] of Object.entries(backends ?? {})) {
    const fault = backend?.apiKey === undefined ? undefined : headerFault(backend.apiKey)
    if (fault) findings.problem(['backends', name, 'apiKey'], fault)
  }
}

function checkEngine({ engine, backends }: Draft, findings: Findings): void {
  const path = ['engine', 'model']
  if (engine?.model === undefined) return
  if (!existsSync(engine.model)) {
    findings.problem(path, { problem: 'There is no such file.', fix: 'Name a GGUF file that exists.' })
  }
  if (Object.keys(backends ?? {}).length > 0) findings.warn(path, 'is not used, because there are backends')
}
