import type { Config } from '../../src/config.ts'
import { loadConfig } from '../../src/config.ts'

/** The configuration that these environment variables alone give. */
export function configOf(env: Readonly<Record<string, string>>): Config {
  return loadConfig({ argv: [], env, cwd: '/' }).config
}
