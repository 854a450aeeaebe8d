import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import type { MetricsClient } from './client.ts'

/** How much memory this process may take; beyond it ends, and what it takes is in the client library's own metrics. */
export function buildMemoryLimits({ Gauge }: MetricsClient): void {
  const limits = new Gauge({
    name: 'weir_memory_limit_bytes',
    help: 'The most memory that this process can have: heap, of JavaScript; process, all of it, as its container or the machine has.',
    labelNames: ['of'],
  })
  limits.set({ of: 'heap' }, getHeapStatistics().heap_size_limit)
  // Without a container's bound it is 0, or more than there is.
  const bound = process.constrainedMemory()
  limits.set({ of: 'process' }, bound > 0 ? Math.min(bound, totalmem()) : totalmem())
}
