/**
 * The candidate that was most likely meant, or undefined when none is close. Letters' case, hyphens and underscores do
 * not count as differences, and a beginning is near to the whole; otherwise at most a third of the letters may differ.
 */
export function nearest(given: string, candidates: Iterable<string>): string | undefined {
  const plain = simplify(given)
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(plain.length / 3)) + 1
  for (const candidate of candidates) {
    const other = simplify(candidate)
    const isBeginning = Math.min(plain.length, other.length) > 3 && (other.startsWith(plain) || plain.startsWith(other))
    const distance = isBeginning
      ? Math.min(1, Math.abs(other.length - plain.length))
      : editDistance(plain, other, bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** `Did you mean "port"?` and the like, or what to do when nothing is near. */
export function didYouMean(given: string, candidates: readonly string[], otherwise: string): string {
  const near = nearest(given, candidates)
  return near === undefined ? otherwise : `Did you mean "${near}"?`
}

const simplify = (text: string) => text.toLowerCase().replaceAll(/[-_ ]/g, '').slice(0, 128)

/**
 * Optimal string alignment by rows: letters added, left out, changed, or two neighbours swapped (Damerau 1964, Wagner
 * and Fischer 1974). `bound` when the lengths alone differ so much.
 */
function editDistance(left: string, right: string, bound: number): number {
  if (Math.abs(left.length - right.length) >= bound) return bound
  let beforePrevious: number[] = []
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= right.length; column += 1) {
      const change = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1)
      const isSwap = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      const swap = isSwap ? (beforePrevious[column - 2] ?? bound) + 1 : bound
      current.push(Math.min(change, swap, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    beforePrevious = previous
    previous = current
  }
  return previous[right.length] ?? bound
}
