/** What experiments cost, from the ledger. */
import type { Sql } from 'postgres'
import type { ArmCost } from '../domain/arm-cost.ts'
import { queryUsage } from '../store/usage-sums.ts'

/** More arms than a configuration has, those among them that it had once. */
const mostArms = 1000
/** Whole months, so that each month is one row of its series. */
const allTime = { fromMs: Date.UTC(2020, 0), untilMs: Date.UTC(9999, 0) }

/** By the names of the arms. */
export async function readArmCosts(sql: Sql, experiment: string): Promise<ReadonlyMap<string, ArmCost>> {
  const query = { range: allTime, granularity: 'none', groupBy: ['arm'], filter: { experiment } } as const
  const rows = await queryUsage(sql, query, { limit: mostArms, after: null })
  return new Map(
    rows.flatMap(({ group: [arm], sums }): [string, ArmCost][] =>
      arm == null ? [] : [[arm, { requests: sums.requests, unpriced: sums.unpriced, nanoUsd: sums.costNanoUsd }]],
    ),
  )
}
