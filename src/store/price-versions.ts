/** Prices as they were when events were counted by them. */
import type { ISql, JSONValue } from 'postgres'
import { withDeadline } from './deadline.ts'

export interface PriceVersion {
  /** What events name it by. */
  readonly version: string
  readonly model: string
  /** The backend's own name for the model; null for the price of the model, which holds wherever a target has no other. */
  readonly target: string | null
  readonly price: Readonly<Record<string, JSONValue>>
  readonly effectiveFrom: Date
}

/** What was once called by a version is not what is called by it now. */
export class PriceVersionConflictError extends Error {
  constructor(versions: readonly string[]) {
    super(
      `the price versions ${versions.join(', ')} are in the database with another content: a price that changes needs a ` +
        'version of its own, since what was counted by the old one names it',
    )
    this.name = 'PriceVersionConflictError'
  }
}

/**
 * Stores those that are not there yet; all others stay as they are. Throws PriceVersionConflictError where one has another
 * content than the one that is there.
 */
export async function recordPriceVersions(sql: ISql, versions: readonly PriceVersion[]): Promise<void> {
  const rows = versions.map(({ version, model, target, price, effectiveFrom }) => ({
    ...{ version, model, target, price },
    effective_from: effectiveFrom.toISOString(),
  }))
  const entries = sql`
    jsonb_to_recordset(${sql.json(rows)}) as entry (
      version text, model text, target text, price jsonb, effective_from timestamptz
    )`
  await withDeadline(sql`
    insert into price_versions (version, model, target, price, effective_from)
    select version, model, target, price, effective_from from ${entries}
    order by version
    on conflict (version) do nothing`)
  // Not in the same statement, which would not see what another replica has just put there.
  const conflicts = await withDeadline(sql<{ version: string }[]>`
    select distinct version from ${entries} join price_versions p using (version)
    where (p.model, p.target, p.price, p.effective_from)
          is distinct from (entry.model, entry.target, entry.price, entry.effective_from)
    order by version`)
  if (conflicts.length > 0) throw new PriceVersionConflictError(conflicts.map(({ version }) => version))
}
