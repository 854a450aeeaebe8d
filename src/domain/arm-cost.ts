/** What the requests of the arms of an experiment cost, by the sums of the ledger: of all replicas, since its beginning. */

/** Of the requests that took part and that this arm has answered, or was the last to try. */
export interface ArmCost {
  readonly requests: bigint
  /** How many of them had no price, and so cost nothing. */
  readonly unpriced: bigint
  readonly nanoUsd: bigint
}

export interface ArmCostReport extends ArmCost {
  /** Of one request, rounded half up; null where there is none. */
  readonly meanNanoUsd: bigint | null
  /** How many times that of the control it is; null for the control, and where one of the two is not known or 0. */
  readonly timesControl: number | null
}

const nothing: ArmCost = { requests: 0n, unpriced: 0n, nanoUsd: 0n }

/** Of the arms of these names, of which the first is the control. */
export function reportArmCosts(
  names: readonly string[],
  costs: ReadonlyMap<string, ArmCost>,
): ReadonlyMap<string, ArmCostReport> {
  const [control = ''] = names
  const mean = ({ requests, nanoUsd }: ArmCost) => Number(nanoUsd) / Number(requests)
  const ofControl = mean(costs.get(control) ?? nothing)
  return new Map(
    names.map(name => {
      const cost = costs.get(name) ?? nothing
      const { requests, nanoUsd } = cost
      const times = name === control || requests === 0n ? Number.NaN : mean(cost) / ofControl
      return [
        name,
        {
          ...cost,
          meanNanoUsd: requests === 0n ? null : (2n * nanoUsd + requests) / (2n * requests),
          timesControl: Number.isFinite(times) ? times : null,
        },
      ]
    }),
  )
}
