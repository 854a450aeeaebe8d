import { nearest } from './nearest.ts'
import type { KeyPath, Place } from './place.ts'
import { type Problem, problemAt } from './problem.ts'
import { readSecretFile, type SecretResult } from './secrets.ts'
import { type Written, type WrittenMap, withValueAt, writtenFrom } from './written.ts'

/** How the text of a variable becomes a value of weir.yaml. */
type Kind = 'text' | 'integer' | 'list' | 'secret'

interface Variable {
  readonly name: string
  readonly kind: Kind
  /** Its key; null for what names the file or makes backends. */
  readonly path: KeyPath | null
}

/** Every variable that Weir obeys by itself; a secret has a twin NAME_FILE. `{env: NAME}` in weir.yaml names others. */
export const variables = [
  { name: 'HOST', kind: 'text', path: ['server', 'host'] },
  { name: 'PORT', kind: 'integer', path: ['server', 'port'] },
  { name: 'INTERNAL_HOST', kind: 'text', path: ['server', 'internalHost'] },
  { name: 'INTERNAL_PORT', kind: 'integer', path: ['server', 'internalPort'] },
  { name: 'PROBE_PORT', kind: 'integer', path: ['server', 'probePort'] },
  { name: 'TRUSTED_PROXIES', kind: 'list', path: ['server', 'trustedProxies'] },
  { name: 'FLOOD_GUARD_REQUESTS', kind: 'integer', path: ['server', 'floodGuard', 'requestsPerMinute'] },
  { name: 'FLOOD_GUARD_FAILURES', kind: 'integer', path: ['server', 'floodGuard', 'failuresPerMinute'] },
  { name: 'MIN_DRAIN', kind: 'text', path: ['server', 'minDrain'] },
  { name: 'LOG_LEVEL', kind: 'text', path: ['log', 'level'] },
  { name: 'DATABASE_URL', kind: 'secret', path: ['stores', 'databaseUrl'] },
  { name: 'WEIR_MIGRATE', kind: 'text', path: ['stores', 'migrate'] },
  { name: 'REDIS_URL', kind: 'secret', path: ['stores', 'redisUrl'] },
  { name: 'WEIR_REPLICAS', kind: 'integer', path: ['stores', 'replicas'] },
  { name: 'WEIR_DATA_DIR', kind: 'text', path: ['stores', 'dataDir'] },
  { name: 'WEIR_ADMIN_KEY', kind: 'secret', path: ['auth', 'adminKey'] },
  { name: 'WEIR_KEY_PEPPER', kind: 'secret', path: ['auth', 'keyPepper'] },
  { name: 'WEIR_BACKEND_URL', kind: 'list', path: null },
  { name: 'WEIR_BACKEND_API_KEY', kind: 'secret', path: null },
  { name: 'WEIR_CONFIG', kind: 'text', path: null },
] as const satisfies readonly Variable[]

/** The names of all of them, the _FILE twins included. */
export function environmentNames(): string[] {
  return variables.flatMap(({ name, kind }) => (kind === 'secret' ? [name, `${name}_FILE`] : [name]))
}

export interface EnvironmentSource {
  /** What the variables say, by name; a variable that is not set or empty is missing. */
  readonly values: ReadonlyMap<string, Written>
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

/** Reads the variables. Compose files pass unset variables on as empty ones, so empty counts as not set. */
export function readEnvironment(env: NodeJS.ProcessEnv, cwd: string): EnvironmentSource {
  const values = new Map<string, Written>()
  const problems: Problem[] = []
  for (const variable of variables) {
    const { name, kind } = variable
    const at: Place = { from: 'environment', name }
    if (kind !== 'secret') {
      const text = env[name] ?? ''
      if (text !== '') values.set(name, writtenFrom(parseText(text, kind), at))
      continue
    }
    const found = readSecret(env, name, cwd)
    if (found === undefined) continue
    if (found.result.kind === 'text') values.set(name, { kind: 'secret', at: found.at, text: found.result.text })
    else problems.push(problemAt(found.at, variable.path ?? [], found.result.complaint))
  }
  return { values, problems, warnings: misspelt(env) }
}

/** Puts the variables that stand for one key each over what weir.yaml says. */
export function applyEnvironment(tree: WrittenMap, values: ReadonlyMap<string, Written>): WrittenMap {
  let result = tree
  for (const { name, path } of variables) {
    const value = values.get(name)
    if (path !== null && value !== undefined) result = withValueAt(result, path, value)
  }
  return result
}

function parseText(text: string, kind: Exclude<Kind, 'secret'>): unknown {
  switch (kind) {
    case 'text':
      return text
    case 'integer':
      return parseInteger(text)
    case 'list':
      return splitList(text)
  }
}

/** A whole number; other text stays text, so that the check against the schema complains about it. */
export function parseInteger(text: string): number | string {
  return /^[0-9]{1,15}$/.test(text.trim()) ? Number(text) : text
}

/** What stands between commas. */
export function splitList(text: string): string[] {
  return text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
}

function readSecret(
  env: NodeJS.ProcessEnv,
  name: string,
  cwd: string,
): { at: Place; result: SecretResult } | undefined {
  const text = env[name] ?? ''
  const file = env[`${name}_FILE`] ?? ''
  if (text !== '' && file !== '') {
    const problem = `Both ${name} and ${name}_FILE are set.`
    return {
      at: { from: 'environment', name },
      result: { kind: 'complaint', complaint: { problem, fix: 'Keep one of the two.' } },
    }
  }
  if (text !== '') return { at: { from: 'environment', name }, result: { kind: 'text', text } }
  if (file === '') return undefined
  return { at: { from: 'environment', name: `${name}_FILE` }, result: readSecretFile(file, cwd) }
}

/** Orchestrators add WEIR_… variables of their own (WEIR_SERVICE_HOST), so only what is nearly one of ours is named. */
function misspelt(env: NodeJS.ProcessEnv): string[] {
  const known = environmentNames()
  const ours = known.filter(name => name.startsWith('WEIR_'))
  return Object.keys(env)
    .filter(name => name.startsWith('WEIR_') && !known.includes(name))
    .flatMap(name => {
      const near = nearest(
        name.slice('WEIR_'.length),
        ours.map(known => known.slice('WEIR_'.length)),
      )
      return near === undefined ? [] : [`environment ${name}: not known; did you mean WEIR_${near}?`]
    })
}

/**
 * WEIR_BACKEND_URL or --backend: backends `backend-1` … that offer every model they list. One that weir.yaml calls the
 * same is replaced whole, so that its API key never goes to another address.
 */
export function applyBackendUrls(tree: WrittenMap, urls: readonly Written[], apiKey: Written | undefined): WrittenMap {
  return urls.reduce<WrittenMap>((result, url, index) => {
    const entries = new Map([
      ['url', { keyAt: url.at, value: url }],
      ['discover', { keyAt: url.at, value: writtenFrom(true, url.at) }],
    ])
    if (apiKey) entries.set('apiKey', { keyAt: apiKey.at, value: apiKey })
    return withValueAt(result, ['backends', `backend-${index + 1}`], { kind: 'map', at: url.at, entries })
  }, tree)
}
