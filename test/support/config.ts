import type { LiveConfigOptions } from '../../src/config/live-config.ts'
import type { Config } from '../../src/config.ts'
import { loadConfig } from '../../src/config.ts'

/** The configuration that these environment variables alone give. */
export function configOf(env: Readonly<Record<string, string>>): Config {
  return loadConfig({ argv: [], env, cwd: '/' }).config
}

/** For the plugin configuration: one that stays as it is. */
export function fixedConfiguration(config: Config): LiveConfigOptions {
  const loaded = { config, file: null, digest: null, traces: null, origins: {}, warnings: [] }
  return { loaded, read: () => loaded }
}
