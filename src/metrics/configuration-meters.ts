import type { MetricsClient } from './client.ts'

/** What became of reading the configuration again. */
export interface ConfigurationMeters {
  reloaded(outcome: 'applied' | 'unchanged' | 'refused' | 'failed'): void
  /** It was read and taken; by the SHA-256 of its file, null where there is none. */
  loaded(digest: string | null): void
}

export function buildConfigurationMeters({ Counter, Gauge }: MetricsClient): ConfigurationMeters {
  const reloads = new Counter({
    name: 'weir_config_reloads_total',
    help: 'Times that the configuration was read again, by outcome.',
    labelNames: ['outcome'],
  })
  // There from the start, so that the first one is an increase.
  for (const outcome of ['applied', 'unchanged', 'refused', 'failed']) reloads.inc({ outcome }, 0)
  const successful = new Gauge({
    name: 'weir_config_last_reload_successful',
    help: '1 if the configuration could be used when it was last read, else 0: then the one before is in force.',
  })
  const readAt = new Gauge({
    name: 'weir_config_last_reload_timestamp_seconds',
    help: 'When the configuration was last read and could be used.',
  })
  const info = new Gauge({
    name: 'weir_config_info',
    help: 'Always 1; by the first 12 digits of the SHA-256 of its file, "none" where there is none.',
    labelNames: ['sha256'],
  })
  return {
    reloaded(outcome) {
      reloads.inc({ outcome })
      successful.set(outcome === 'applied' || outcome === 'unchanged' ? 1 : 0)
    },
    loaded(digest) {
      successful.set(1)
      readAt.set(Date.now() / 1000)
      info.reset()
      info.set({ sha256: digest?.slice(0, 12) ?? 'none' }, 1)
    },
  }
}
