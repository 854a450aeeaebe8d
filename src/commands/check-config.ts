import { asksForHelp, helpText } from '../config/flags.ts'
import { ConfigError, describeProblem, type Problem } from '../config/problem.ts'
import { listSettings, redactConfig } from '../config/report.ts'
import { type LoadedConfig, loadConfig } from '../config.ts'
import type { Command, CommandIo } from './command.ts'

const usage = `Usage: weir check-config [options]
Checks the configuration that these flags, the environment and weir.yaml give the server.`

type Outcome =
  | { readonly kind: 'loaded'; readonly loaded: LoadedConfig }
  | { readonly kind: 'failed'; readonly problems: readonly Problem[] }

/**
 * `weir check-config [flags of the configuration] [--json]`: prints the configuration that the same flags, environment
 * and weir.yaml give the server, and where each value came from. Secrets are `***`. Resolves to 0 when the server would
 * accept it, else to 1.
 */
export async function checkConfig(argv: readonly string[], { stdout, stderr, env }: CommandIo): Promise<number> {
  if (asksForHelp(argv)) {
    stdout.write(helpText(usage, [{ name: 'json', value: '', summary: 'print one JSON document' }]))
    return 0
  }
  const outcome = load(
    argv.filter(argument => argument !== '--json'),
    env,
  )
  const exitCode = outcome.kind === 'loaded' ? 0 : 1
  if (argv.includes('--json')) stdout.write(`${JSON.stringify(asJson(outcome), null, 2)}\n`)
  else if (outcome.kind === 'loaded') stdout.write(asTable(outcome.loaded))
  else stderr.write(asList(outcome.problems))
  return exitCode
}

export const checkConfigCommand: Command = {
  name: 'check-config',
  summary: 'check the configuration and show where each value came from',
  run: checkConfig,
}

function load(argv: readonly string[], env: NodeJS.ProcessEnv): Outcome {
  try {
    return { kind: 'loaded', loaded: loadConfig({ argv, env }) }
  } catch (error) {
    if (error instanceof ConfigError) return { kind: 'failed', problems: error.problems }
    throw error
  }
}

function asJson(outcome: Outcome) {
  if (outcome.kind === 'failed') {
    return { ok: false, config: null, origins: {}, warnings: [], errors: outcome.problems }
  }
  const { config, origins, warnings } = outcome.loaded
  return { ok: true, config: redactConfig(config), origins, warnings, errors: [] }
}

/** Columns as wide as what stands in them, but one long value does not push the origins off the screen. */
function asTable(loaded: LoadedConfig): string {
  const rows = [{ key: 'KEY', value: 'VALUE', origin: 'FROM' }, ...listSettings(loaded)]
  const keyWidth = Math.max(...rows.map(({ key }) => key.length))
  const valueWidth = Math.min(48, Math.max(...rows.map(({ value }) => value.length)))
  const lines = rows.map(({ key, value, origin }) => `${key.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${origin}`)
  const warnings = loaded.warnings.map(text => `warning: ${text}`)
  const verdict = `The configuration is valid${loaded.file === null ? '; there is no weir.yaml' : ''}.`
  return `${[...lines, '', ...warnings, verdict].join('\n')}\n`
}

function asList(problems: readonly Problem[]): string {
  const verdict = `The configuration has ${problems.length === 1 ? 'one problem' : `${problems.length} problems`}.`
  return `${[...problems.map(describeProblem), verdict].join('\n')}\n`
}
