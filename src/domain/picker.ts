import type { EndpointName } from '../schemas/config/models.ts'
import type { Target } from './catalog.ts'

/**
 * The target that has the fewest requests under way for its weight; the first of equals. Undefined where no target takes
 * traffic for this endpoint.
 */
export function pickTarget(
  targets: readonly Target[],
  endpoint: EndpointName,
  inFlight: (backend: string) => number,
): Target | undefined {
  let best: Target | undefined
  let bestLoad = Number.POSITIVE_INFINITY
  for (const target of targets) {
    if (target.weight === 0 || !target.endpoints.has(endpoint)) continue
    const load = (inFlight(target.backend) + 1) / target.weight
    if (load < bestLoad) {
      best = target
      bestLoad = load
    }
  }
  return best
}
