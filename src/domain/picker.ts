/** Which of the targets that may take a call gets it: the least loaded, or the one that knows the prompt already. */
import { chooseByRendezvous } from './rendezvous.ts'

export interface PickCandidate {
  /** Names the model on its backend: unique among the candidates, and the same on every replica. */
  readonly id: string
  /** Its share among the candidates; 0 takes none. */
  readonly weight: number
  /** How much of the weight counts, in (0, 1]: less than 1 while its backend warms up. */
  readonly share: number
  /** Requests under way on its backend. */
  readonly inFlight: number
  /** Requests its backend runs at once, at least 1; null while unknown. */
  readonly slots: number | null
}

/** So many are looked at all; of more than these, two. */
const maxLookedAt = 8

/**
 * The candidate for a call: the one with the least load, in requests under way, this one among them, relative to its slots
 * and its weight. Of equals one is drawn by weight, and those where nothing is under way are equals: so an idle fleet is
 * shared by weight too. Beyond eight candidates it is the less loaded of two that are drawn by weight ("The power of two
 * choices in randomized load balancing", Mitzenmacher 2001).
 *
 * @param random a number in [0, 1), such as Math.random.
 * @param preferred the `id` of the candidate that is taken as long as it is no busier than the others: without this call it
 *   has no more load than the least loaded would have with it. See findPreferred.
 * @returns undefined where no candidate has a weight.
 */
export function pickTarget<Candidate extends PickCandidate>(
  candidates: readonly Candidate[],
  random: () => number,
  preferred: string | null = null,
): Candidate | undefined {
  const contenders = weigh(candidates)
  const favourite = preferred === null ? undefined : contenders.find(({ candidate }) => candidate.id === preferred)
  if (favourite !== undefined && favourite.candidate.inFlight / favourite.capacity <= leastLoad(contenders)) {
    return favourite.candidate
  }
  const picked = contenders.length > maxLookedAt ? lessLoadedOfTwo(contenders, random) : leastLoaded(contenders, random)
  return picked?.candidate
}

/**
 * The `id` of the candidate that calls with this prefix prefer, so that they find its beginning in the prompt cache of one
 * backend. It is the same on every replica, and stays the same while others come and go, each as often as its capacity says.
 *
 * @param prefixKey from prefixKeyOf; null, where there is nothing to be found again, prefers none.
 */
export function findPreferred(candidates: readonly PickCandidate[], prefixKey: number | null): string | null {
  if (prefixKey === null) return null
  const nodes = weigh(candidates).map(({ candidate, capacity }) => ({ id: candidate.id, weight: capacity }))
  return chooseByRendezvous(prefixKey, nodes)
}

interface Contender<Candidate> {
  readonly candidate: Candidate
  /** Slots by weight. */
  readonly capacity: number
  /** What it would have with one more request; 1 where that fills a target of weight 1. */
  readonly load: number
}

/**
 * Those that take calls at all. Unknown slots count as the mean of the known: to take them for one would leave a large
 * backend that does not tell idle beside others that do. Where none tells, they make no difference.
 */
function weigh<Candidate extends PickCandidate>(candidates: readonly Candidate[]): Contender<Candidate>[] {
  const taking = candidates.filter(({ weight }) => weight > 0)
  const known = taking.flatMap(({ slots }) => slots ?? [])
  const mean = known.length === 0 ? 1 : known.reduce((sum, slots) => sum + slots, 0) / known.length
  return taking.map(candidate => {
    const capacity = (candidate.slots ?? mean) * candidate.weight * candidate.share
    return { candidate, capacity, load: (candidate.inFlight + 1) / capacity }
  })
}

type Contenders<Candidate> = readonly Contender<Candidate>[]

const leastLoad = (contenders: Contenders<PickCandidate>): number => Math.min(...contenders.map(({ load }) => load))

const isIdle = ({ candidate }: Contender<PickCandidate>): boolean => candidate.inFlight === 0

function leastLoaded<Candidate extends PickCandidate>(contenders: Contenders<Candidate>, random: () => number) {
  const least = leastLoad(contenders)
  const equals = contenders.filter(({ load }) => load === least)
  return draw(equals.some(isIdle) ? contenders.filter(isIdle) : equals, random)
}

function lessLoadedOfTwo<Candidate extends PickCandidate>(contenders: Contenders<Candidate>, random: () => number) {
  const first = draw(contenders, random)
  const others = contenders.filter(contender => contender !== first)
  const second = draw(others, random)
  if (first === undefined || second === undefined || (isIdle(first) && isIdle(second))) return first
  return second.load < first.load ? second : first
}

/** One of them at random, each as often as its capacity says. */
function draw<Candidate>(contenders: Contenders<Candidate>, random: () => number): Contender<Candidate> | undefined {
  let left = random() * contenders.reduce((sum, { capacity }) => sum + capacity, 0)
  for (const contender of contenders) {
    left -= contender.capacity
    if (left < 0) return contender
  }
  // Where rounding has left a rest.
  return contenders.at(-1)
}
