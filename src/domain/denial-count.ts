/** Requests that limits have refused, which are counted by the minute and never kept one by one. */

import type { LimitName, LimitOwner } from './limit.ts'

/** What one process has counted of one minute, caller and limit. */
export interface DenialCount {
  readonly id: string
  readonly minuteMs: number
  readonly accountId: string
  readonly keyId: string | null
  readonly tier: string
  /** Which limit, and whose it is. */
  readonly limit: LimitName
  readonly of: LimitOwner
  denials: number
}
