/** One of several nodes for each key, without a table: all who know the nodes come to the same. */

export interface RendezvousNode {
  readonly id: string
  /** Above 0: it gets keys in this proportion. */
  readonly weight: number
}

/**
 * The node where this key has its highest score. A node that goes leaves its keys to the others, each by its weight, and
 * one that comes takes only what is its own; every other key stays where it is. (Thaler and Ravishankar, "Using name-based
 * mappings to increase hit rates", 1998; with weights: -w / ln h, Schindelhauer and Schomaker, "Weighted distributed hash
 * tables", 2005.)
 *
 * @param key 32 bits that are spread evenly and that nobody outside can choose: the hash here is a fast one, no secret.
 * @returns its `id`; null where there are no nodes.
 */
export function chooseByRendezvous(key: number, nodes: readonly RendezvousNode[]): string | null {
  let best: string | null = null
  let bestScore = Number.NEGATIVE_INFINITY
  for (const { id, weight } of nodes) {
    const score = -weight / Math.log(hashOf(key, id))
    if (score <= bestScore) continue
    best = id
    bestScore = score
  }
  return best
}

/** FNV-1a over the name, begun from the key, then the finalizer of MurmurHash3; as a fraction between 0 and 1. */
function hashOf(key: number, id: string): number {
  let hash = key
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  hash ^= hash >>> 16
  return ((hash >>> 0) + 0.5) / 2 ** 32
}
