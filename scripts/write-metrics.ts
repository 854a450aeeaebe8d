// Writes docs/METRICS.md from the metrics of the program: `node scripts/write-metrics.ts`. A test holds it current.
import { writeFileSync } from 'node:fs'
import { listMetrics } from '../plugins/metrics.ts'
import { metricsDocument } from '../src/metrics/document.ts'

writeFileSync(new URL('../docs/METRICS.md', import.meta.url), metricsDocument(await listMetrics()))
