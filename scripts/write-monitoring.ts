// Writes monitoring/grafana/dashboards from monitoring/dashboards: `node scripts/write-monitoring.ts`. A test holds it current.
import { writeFileSync } from 'node:fs'
import { dashboardJson } from '../monitoring/dashboards/dashboard.ts'
import { dashboards } from '../monitoring/dashboards/dashboards.ts'

for (const dashboard of dashboards) {
  const file = new URL(`../monitoring/grafana/dashboards/${dashboard.uid}.json`, import.meta.url)
  writeFileSync(file, `${JSON.stringify(dashboardJson(dashboard), null, 2)}\n`)
}
