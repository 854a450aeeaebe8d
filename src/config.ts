/**
 * What Weir was told, from four places: flag > environment > weir.yaml > default. This is the only file that reads the
 * environment.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { withDefaultTiers } from './config/default-tiers.ts'
import { applyBackendUrls, applyEnvironment, readEnvironment } from './config/environment.ts'
import { applyFlags, readFlags } from './config/flags.ts'
import { originOf } from './config/place.ts'
import { ConfigError, type Problem, problemAt } from './config/problem.ts'
import { checkReferences } from './config/references.ts'
import { type Resolution, resolveConfig } from './config/resolve.ts'
import type { Resolved } from './config/resolved.ts'
import { readTraceSettings, type TraceSettings } from './config/trace-settings.ts'
import { emptyMap, type Written, type WrittenMap } from './config/written.ts'
import { readYaml } from './config/yaml-source.ts'
import { defaultMinDrainMs } from './domain/stop-stages.ts'
import type { ConfigFile } from './schemas/config/root.ts'

/** Everything the program was told, defaults filled in, units resolved, frozen. */
export type Config = Resolved<ConfigFile> & { readonly server: { readonly host: string; readonly minDrainMs: number } }

export interface LoadedConfig {
  readonly config: Config
  /** The file that was read, as an absolute path; null when there is none. */
  readonly file: string | null
  /** SHA-256 of its bytes, in hex. */
  readonly digest: string | null
  /** Where each value came from, by its key in weir.yaml: `server.port` → `flag --port`. */
  readonly origins: Readonly<Record<string, string>>
  /** Where traces go, by OpenTelemetry's own variables; null where they go nowhere. */
  readonly traces: TraceSettings | null
  /** What is no mistake but worth knowing, one sentence each; never with a secret. */
  readonly warnings: readonly string[]
}

export interface ConfigInput {
  /** The arguments without the program's name; all of them have to be flags of the configuration. */
  readonly argv: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** What relative paths of flags and variables are relative to, and where weir.yaml is looked for. */
  readonly cwd?: string
}

/**
 * Reads flags, environment and weir.yaml, checks everything, and throws one ConfigError with all problems found.
 * An empty variable counts as not set.
 */
export function loadConfig({ argv, env = process.env, cwd = process.cwd() }: ConfigInput): LoadedConfig {
  const flags = readFlags(argv)
  const environment = readEnvironment(env, cwd)
  const tracing = readTraceSettings(env)
  const problems: Problem[] = [...flags.problems, ...environment.problems]
  const file = chooseFile(flags.values.get('config') ?? environment.values.get('WEIR_CONFIG'), cwd, problems)
  const yaml = file === null ? { tree: emptyMap(), problems: [], digest: null } : readYaml(file.path, file.label)
  problems.push(...yaml.problems)

  const run: Resolution = {
    env,
    cwd,
    problems,
    warnings: [...environment.warnings, ...tracing.warnings],
    places: new Map(),
    origins: new Map(),
  }
  const tree = overlay(withDefaultTiers(yaml.tree), flags.values, environment.values, run.warnings)
  const resolved = resolveConfig(tree, run)
  if (yaml.problems.length === 0) checkReferences(resolved, run)
  if (problems.length > 0) throw new ConfigError(problems.toSorted(byLine))
  // Without problems it is what its schema says.
  const checked: object = resolved
  return {
    config: deepFreeze(withStoresDefaults(checked as Resolved<ConfigFile>, run.origins)),
    file: file?.path ?? null,
    digest: yaml.digest,
    origins: Object.freeze(Object.fromEntries(run.origins)),
    traces: tracing.traces,
    warnings: Object.freeze(run.warnings),
  }
}

/** Flags and variables first, then down the file; the order among the former stays. */
function byLine(left: Problem, right: Problem): number {
  return (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0)
}

function chooseFile(named: Written | undefined, cwd: string, problems: Problem[]) {
  if (named?.kind === 'scalar') {
    const label = String(named.value)
    const path = resolve(cwd, label)
    if (existsSync(path)) return { path, label }
    const fix = 'Correct the path, or leave it out to read ./weir.yaml.'
    problems.push(problemAt(named.at, [], { problem: `There is no file ${JSON.stringify(label)}.`, fix }))
    return null
  }
  const path = resolve(cwd, 'weir.yaml')
  return existsSync(path) ? { path, label: 'weir.yaml' } : null
}

type Values = ReadonlyMap<string, Written>

function overlay(tree: WrittenMap, flags: Values, environment: Values, warnings: string[]): WrittenMap {
  const urls = flags.get('backend') ?? environment.get('WEIR_BACKEND_URL')
  const apiKey = environment.get('WEIR_BACKEND_API_KEY')
  if (urls === undefined && apiKey) {
    warnings.push(`${originOf(apiKey.at)}: not used, because neither WEIR_BACKEND_URL nor --backend names a backend`)
  }
  const items = urls?.kind === 'list' ? urls.items : []
  const backends = tree.entries.get('backends')?.value
  for (const [index, { at }] of items.entries()) {
    const name = `backend-${index + 1}`
    if (backends?.kind !== 'map' || !backends.entries.has(name)) continue
    warnings.push(`${originOf(at)}: takes the place of backends.${name} in the file`)
  }
  return applyFlags(applyEnvironment(applyBackendUrls(tree, items, apiKey), environment), flags)
}

/**
 * What the embedded database decides where nobody has said it: it is for one process on one machine, so that is off loopback
 * only with a database of one's own, and only then others can take the requests of one that stops.
 */
function withStoresDefaults(config: Resolved<ConfigFile>, origins: Map<string, string>): Config {
  const { server, stores } = config
  const isEmbedded = stores.databaseUrl === undefined
  const defaults = {
    host: isEmbedded ? '127.0.0.1' : '0.0.0.0',
    minDrainMs: defaultMinDrainMs(server.graceMs, isEmbedded),
  }
  const byDefault = originOf({ from: 'default' })
  for (const key of ['server.host', 'server.minDrain']) if (!origins.has(key)) origins.set(key, byDefault)
  return { ...config, server: { ...defaults, ...server } }
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner)
    Object.freeze(value)
  }
  return value
}

/** The environment for the command line, which hands it on to loadConfig. */
export const environment = process.env
