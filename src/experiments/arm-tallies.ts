import { type ArmCall, type ArmTally, emptyTally, tallyCall } from '../domain/arm-tally.ts'
import type { Participation } from '../domain/experiment.ts'

export interface ExperimentTally {
  /** When the first request was counted. */
  readonly since: Date
  readonly arms: ReadonlyMap<string, ArmTally>
}

/** What this process has seen of each arm of each experiment since it was started. */
export class ArmTallies {
  readonly #armsOf: (experiment: string) => readonly string[]
  readonly #experiments = new Map<string, { readonly since: Date; readonly arms: Map<string, ArmTally> }>()

  /**
   * `armsOf` says which arms the configuration has, none where it has no such experiment. What another configuration had is
   * forgotten when something new comes, so that there is never more than one arm beyond those there are.
   */
  constructor(armsOf: (experiment: string) => readonly string[]) {
    this.#armsOf = armsOf
  }

  find(experiment: string): ExperimentTally | undefined {
    return this.#experiments.get(experiment)
  }

  observe({ experiment, arm }: Participation, call: ArmCall): void {
    const { arms } = this.#experiments.get(experiment) ?? this.#begin(experiment)
    tallyCall(arms.get(arm) ?? this.#beginArm(experiment, arms, arm), call)
  }

  #begin(experiment: string) {
    for (const name of this.#experiments.keys()) if (this.#armsOf(name).length === 0) this.#experiments.delete(name)
    const begun = { since: new Date(), arms: new Map<string, ArmTally>() }
    this.#experiments.set(experiment, begun)
    return begun
  }

  #beginArm(experiment: string, arms: Map<string, ArmTally>, arm: string): ArmTally {
    const known = this.#armsOf(experiment)
    for (const name of arms.keys()) if (!known.includes(name)) arms.delete(name)
    const tally = emptyTally()
    arms.set(arm, tally)
    return tally
  }
}
