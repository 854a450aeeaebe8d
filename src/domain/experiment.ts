import { hash } from 'node:crypto'

/** Some of a model's targets, to be compared with the others. */
export interface Arm {
  readonly name: string
  /** Its share among the arms: the sum of its targets' weights. */
  readonly weight: number
}

/** The targets of a model as arms that are compared. */
export interface Experiment {
  readonly name: string
  /** `account`, or the name of a request header in small letters: requests that are alike in it get the same arm. */
  readonly stickBy: string
  /** The first one is the control, which the others are compared with. */
  readonly arms: readonly [Arm, ...Arm[]]
  /** Callers have the control alone; those of another arm have a copy sent there, and its answer is discarded. */
  readonly shadow: boolean
}

/** What an administrator has said of an experiment. */
export type ExperimentState =
  /** `rampPercent` of the traffic takes part, 0 to 100; the rest is the control's and is not counted. */
  | { readonly status: 'running'; readonly rampPercent: number }
  /** All traffic is the control's; the ramp is kept for when it goes on. */
  | { readonly status: 'paused'; readonly rampPercent: number }
  /** All traffic is the winner's. */
  | { readonly status: 'ended'; readonly rampPercent: number; readonly winner: string }

/** Of an experiment that nobody has said anything of. */
export const initialState: ExperimentState = { status: 'running', rampPercent: 100 }

interface ExperimentSettings {
  readonly name: string
  readonly stickBy: string
  readonly shadow: boolean
}

interface ArmTarget {
  readonly arm?: string
  readonly weight: number
}

/** Null where no target is an arm. Arms are in the order in which targets first name them. */
export function buildExperiment(
  { name, stickBy, shadow }: ExperimentSettings,
  targets: readonly ArmTarget[],
): Experiment | null {
  const weights = new Map<string, number>()
  for (const { arm, weight } of targets) {
    if (arm !== undefined) weights.set(arm, (weights.get(arm) ?? 0) + weight)
  }
  const [control, ...others] = [...weights].map(([arm, weight]): Arm => ({ name: arm, weight }))
  return control === undefined ? null : { name, stickBy: stickBy.toLowerCase(), arms: [control, ...others], shadow }
}

/** Who is compared as part of which arm. */
export interface Participation {
  readonly experiment: string
  readonly arm: string
  /** Whoever it sticks to, as a number that tells nothing else of them. */
  readonly participant: number
}

/** `arm` is the one that answers. */
export interface Assignment extends Participation {
  /** Whether it takes part: others are answered by the arm and compared with nobody. */
  readonly isCounted: boolean
  /** The other arm that a copy is sent to; null where there is none. */
  readonly copyArm: string | null
}

/** What a request sticks to: the value of the header, where the experiment names one and it is there, or else the account. */
export function stickyValue(
  { stickBy }: Experiment,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  accountId: string,
): string {
  const value = stickBy === 'account' ? undefined : headers[stickBy]
  // Marked, so that nobody gets another account's arm by sending its id.
  return typeof value === 'string' && value !== '' ? `header\n${value}` : `account\n${accountId}`
}

/**
 * The arm for this sticky value. The same value gets the same arm for as long as nothing changes, in each experiment anew. Who
 * takes part is decided apart from the arm, so that nobody is thrown out or changes arms when a ramp goes up. When weights
 * change as few change arms as possible: for the arm each runs a race with an exponential time by its weight, the
 * logarithmic method of Schindelhauer and Schomaker, Weighted Distributed Hash Tables (SPAA 2005). `state` is null while
 * nobody knows it: then all is the control's.
 */
export function assign(experiment: Experiment, state: ExperimentState | null, sticky: string): Assignment {
  const { name, arms, shadow } = experiment
  const participant = hash48(`${name}\n${sticky}`)
  const answer = (arm: Arm, isCounted: boolean, copyArm: string | null = null) => {
    return { experiment: name, arm: arm.name, participant, isCounted, copyArm }
  }
  if (state?.status === 'ended') return answer(arms.find(arm => arm.name === state.winner) ?? arms[0], false)
  const takesPart = state?.status === 'running' && uniform(participant) < state.rampPercent / 100
  if (!takesPart) return answer(arms[0], false)
  const arm = raceOf(experiment, sticky)
  return shadow && arm !== arms[0] ? answer(arms[0], true, arm.name) : answer(arm, true)
}

function raceOf({ name, arms }: Experiment, sticky: string): Arm {
  let winner = arms[0]
  let bestTime = Number.POSITIVE_INFINITY
  for (const arm of arms) {
    const time = -Math.log(uniform(hash48(`${name}\n${arm.name}\n${sticky}`))) / arm.weight
    if (time < bestTime) {
      winner = arm
      bestTime = time
    }
  }
  return winner
}

const range = 2 ** 48

const hash48 = (text: string): number => hash('sha256', text, 'buffer').readUIntBE(0, 6)

/** Between 0 and 1, neither of them. */
const uniform = (bits: number): number => (bits + 0.5) / range
