import { type ArmTally, effectiveParticipants } from './arm-tally.ts'
import { differenceInterval, type Interval, quantileRanks, type Share, shareInterval } from './confidence.ts'
import { bucketAt, type LatencyHistogram } from './latency-histogram.ts'

/** How sure each interval is, and how sure all verdicts of an experiment are together. */
export const confidence = 0.95
/** Of either arm, before there is a verdict; of participants as many that send equally often. */
const leastRequests = 100
const leastParticipants = 20

/** Null where nothing is known; a bound is null where the values are too few for one. */
export interface Estimate {
  readonly value: number
  readonly low: number | null
  readonly high: number | null
}

export type Verdict = 'better' | 'worse' | 'no_difference_shown' | 'too_few'

/** Of all of them less is better. */
export interface ArmFigures<Figure> {
  readonly errorRate: Figure
  readonly firstTokenP50: Figure
  readonly firstTokenP95: Figure
  readonly interTokenP50: Figure
  readonly interTokenP95: Figure
}

export interface ArmReport {
  readonly name: string
  readonly tally: ArmTally
  readonly figures: ArmFigures<Estimate | null>
  /** Against the control; null for the control itself. */
  readonly verdicts: ArmFigures<Verdict> | null
}

export interface TalliedArm {
  readonly name: string
  readonly tally: ArmTally
}

const figureCount = 5

/**
 * What can be said of the arms, of which the first is the control. Every interval by itself holds with `confidence`.
 * Verdicts share what may go wrong among all arms and figures (Bonferroni), so that arms that are the same are all said to be
 * so with at least that confidence, at the time of one look; who looks until something shows is reading noise.
 */
export function reportArms(arms: readonly TalliedArm[]): readonly ArmReport[] {
  const [control] = arms
  const verdicts = (arms.length - 1) * figureCount
  const risk = (1 - confidence) / verdicts
  return arms.map(arm => ({
    ...arm,
    figures: figuresOf(arm.tally),
    verdicts: control === undefined || arm === control ? null : judge(arm.tally, control.tally, risk),
  }))
}

const errorsOf = ({ errors, requests }: ArmTally): Share => ({ hits: errors, of: requests })

function figuresOf(tally: ArmTally): ArmFigures<Estimate | null> {
  const share = errorsOf(tally)
  const errorRate = share.of === 0 ? null : { value: share.hits / share.of, ...shareInterval(share, confidence) }
  return eachFigure(errorRate, (histogram, quantile) => {
    const { count } = tally[histogram]
    if (count === 0) return null
    const value = bucketAt(tally[histogram], Math.ceil(count * quantile)).middle
    return { value, ...quantileInterval(tally[histogram], quantile, confidence) }
  })
}

function judge(arm: ArmTally, control: ArmTally, risk: number): ArmFigures<Verdict> {
  const isTooFew = [arm, control].some(tally => effectiveParticipants(tally) < leastParticipants)
  const isMissing = (count: (tally: ArmTally) => number) =>
    isTooFew || count(arm) < leastRequests || count(control) < leastRequests
  const ofErrors = () => verdictOf(differenceInterval(errorsOf(arm), errorsOf(control), 1 - risk))
  const errorRate = isMissing(({ requests }) => requests) ? 'too_few' : ofErrors()
  return eachFigure<Verdict>(errorRate, (histogram, quantile) => {
    if (isMissing(tally => tally[histogram].count)) return 'too_few'
    // Where both intervals hold, which is as sure as the two risks together, those apart are of different values.
    const [ours, theirs] = [arm, control].map(tally => quantileInterval(tally[histogram], quantile, 1 - risk / 2))
    if (!isBounded(ours) || !isBounded(theirs)) return 'too_few'
    return verdictOf({ low: ours.low - theirs.high, high: ours.high - theirs.low })
  })
}

/** By how much it is more than the control. */
function verdictOf({ low, high }: Interval): Verdict {
  if (high < 0) return 'better'
  return low > 0 ? 'worse' : 'no_difference_shown'
}

type Bounds = Pick<Estimate, 'low' | 'high'>

const isBounded = (bounds: Bounds | undefined): bounds is Interval =>
  bounds !== undefined && bounds.low !== null && bounds.high !== null

function quantileInterval(histogram: LatencyHistogram, quantile: number, sureness: number): Bounds {
  const ranks = quantileRanks(histogram.count, quantile, sureness)
  return {
    low: ranks.low === null ? null : bucketAt(histogram, ranks.low).low,
    high: ranks.high === null ? null : bucketAt(histogram, ranks.high).high,
  }
}

type HistogramName = 'firstToken' | 'interToken'

function eachFigure<Figure>(
  errorRate: Figure,
  ofQuantile: (histogram: HistogramName, quantile: number) => Figure,
): ArmFigures<Figure> {
  return {
    errorRate,
    firstTokenP50: ofQuantile('firstToken', 0.5),
    firstTokenP95: ofQuantile('firstToken', 0.95),
    interTokenP50: ofQuantile('interToken', 0.5),
    interTokenP95: ofQuantile('interToken', 0.95),
  }
}
