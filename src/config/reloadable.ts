import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config.ts'

/**
 * What a running process makes of a new configuration: all that it can take on as it runs, and for the rest (addresses,
 * stores, secrets of the process, issuers) what it was started with.
 */
export function withReloadable(running: Config, next: Config): Config {
  const { floodGuard, commitAfterMs, heartbeatMs, clientStallMs, urlImages } = next.server
  return Object.freeze({
    ...running,
    server: Object.freeze({ ...running.server, floodGuard, commitAfterMs, heartbeatMs, clientStallMs, urlImages }),
    log: next.log,
    webhooks: next.webhooks,
    backends: next.backends,
    models: next.models,
    // The same object where they say the same: what is known of callers hangs on it.
    tiers: isDeepStrictEqual(running.tiers, next.tiers) ? running.tiers : next.tiers,
  })
}
