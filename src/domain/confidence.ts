/** Intervals that hold the true value with a stated confidence, such as 0.95. */

export interface Interval {
  readonly low: number
  readonly high: number
}

/** Successes among trials. */
export interface Share {
  readonly hits: number
  readonly of: number
}

/** The normal distribution, by the series 26.2.11 in Abramowitz and Stegun. */
function normalProbability(z: number): number {
  let term = z
  let sum = z
  for (let factor = 3; Math.abs(term) > Number.EPSILON * Math.abs(sum); factor += 2) {
    term *= (z * z) / factor
    sum += term
  }
  return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI)
}

/** How many standard deviations about the mean have this probability, to twelve digits, for up to 1 - 1e-12. */
export function deviationsFor(confidence: number): number {
  let [low, high] = [0, 8]
  while (high - low > 1e-12) {
    const middle = (low + high) / 2
    if (2 * normalProbability(middle) - 1 < confidence) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** Wilson's score interval (JASA 22, 1927): right also for shares near 0 and few trials. At least one trial. */
export function shareInterval({ hits, of }: Share, confidence: number): Interval {
  const z2 = deviationsFor(confidence) ** 2
  const share = hits / of
  const centre = (share + z2 / (2 * of)) / (1 + z2 / of)
  const reach = Math.sqrt((z2 * share * (1 - share)) / of + (z2 * z2) / (4 * of * of)) / (1 + z2 / of)
  // Rounding must not leave the share itself outside, as where none or all of them hit.
  return { low: Math.min(share, Math.max(0, centre - reach)), high: Math.max(share, Math.min(1, centre + reach)) }
}

/** How much larger the first share is than the second: Newcombe's method 10 (Statistics in Medicine 17, 1998). */
export function differenceInterval(first: Share, second: Share, confidence: number): Interval {
  const [a, b] = [first.hits / first.of, second.hits / second.of]
  const [ofA, ofB] = [shareInterval(first, confidence), shareInterval(second, confidence)]
  return {
    low: a - b - Math.hypot(a - ofA.low, ofB.high - b),
    high: a - b + Math.hypot(ofA.high - a, b - ofB.low),
  }
}

/** Ranks among values in order, from 1; null where even the least or the greatest says too little. */
export interface Ranks {
  readonly low: number | null
  readonly high: number | null
}

/**
 * Between which of `count` values in order the quantile lies, whatever their distribution: how many of them are below it is
 * binomial (David and Nagaraja, Order Statistics, 7.1). No more than half of what may go wrong does so on each side. Time
 * grows with the root of the count.
 */
export function quantileRanks(count: number, quantile: number, confidence: number): Ranks {
  const side = (1 - confidence) / 2
  const mean = count * quantile
  // What is below has no part in any sum that is worth a digit.
  const first = Math.max(0, Math.floor(mean - 12 * Math.sqrt(mean * (1 - quantile)) - 12))
  let probability = Math.exp(logBinomial(count, first, quantile))
  let below = probability
  let low: number | null = null
  for (let rank = first; rank < count; rank++) {
    if (below <= side) low = rank + 1
    if (below >= 1 - side) return { low, high: rank + 1 }
    probability *= ((count - rank) / (rank + 1)) * (quantile / (1 - quantile))
    below += probability
  }
  return { low, high: null }
}

const logBinomial = (count: number, hits: number, share: number): number =>
  logFactorial(count) -
  logFactorial(hits) -
  logFactorial(count - hits) +
  hits * Math.log(share) +
  (count - hits) * Math.log(1 - share)

/** Stirling's series (Abramowitz and Stegun 6.1.41); summed up where the series is not exact enough. */
function logFactorial(value: number): number {
  if (value >= 16) {
    const x = value + 1
    const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5)
    return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series
  }
  let sum = 0
  for (let factor = 2; factor <= value; factor++) sum += Math.log(factor)
  return sum
}
