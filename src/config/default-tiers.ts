import { byDefault } from './place.ts'
import { isEmpty, type WrittenMap, withValueAt, writtenFrom } from './written.ts'

const scopes = ['chat', 'completions', 'embeddings', 'models', 'usage']

/** The tiers that are there without being named in weir.yaml, in its words. None may administer. */
const defaultTiers = {
  free: {
    scopes,
    limits: { requestsPerMinute: 60, tokensPerMinute: 100_000, requestsInFlight: 4 },
    priority: 20,
    queueWait: '10s',
  },
  premium: {
    scopes,
    limits: { requestsPerMinute: 600, tokensPerMinute: 1_000_000, requestsInFlight: 32 },
    priority: 50,
    queueWait: '30s',
  },
  enterprise: { scopes, priority: 80, queueWait: '60s' },
} as const

/**
 * Adds the default tiers to what weir.yaml says. A tier that the file names keeps the default's keys that the file
 * leaves out; a key that it has counts whole, so that `limits: {}` takes every limit away.
 */
export function withDefaultTiers(tree: WrittenMap): WrittenMap {
  let result = tree
  for (const [name, tier] of Object.entries(defaultTiers)) {
    for (const [key, value] of Object.entries(tier)) {
      const path = ['tiers', name, key]
      if (!isWritten(tree, path)) result = withValueAt(result, path, writtenFrom(value, byDefault))
    }
  }
  return result
}

function isWritten(tree: WrittenMap, path: readonly string[]): boolean {
  const [step = '', ...rest] = path
  const value = tree.entries.get(step)?.value
  if (rest.length === 0) return value !== undefined
  if (isEmpty(value)) return false
  return value?.kind !== 'map' || isWritten(value, rest)
}
