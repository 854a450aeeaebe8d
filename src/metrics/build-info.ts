import type { MetricsClient } from './client.ts'

/** A series that says which program this is; its value says nothing. */
export function buildInfo({ Gauge }: MetricsClient, version: string): void {
  const info = new Gauge({
    name: 'weir_build_info',
    help: 'Always 1; by the version of Weir and of Node.',
    labelNames: ['version', 'node'],
  })
  info.set({ version, node: process.versions.node }, 1)
}
