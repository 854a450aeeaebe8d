import { randomUUID } from 'node:crypto'
import type { RedisLimits } from '../store/limits.ts'
import type { Backlog } from './backlog.ts'
import type { Breaker } from './breaker.ts'
import type { LocalLimits } from './local-limits.ts'
import type { SharedHolds } from './shared-holds.ts'

export interface LocalChargesOptions {
  readonly store: RedisLimits
  readonly local: LocalLimits
  readonly backlog: Backlog
  readonly breaker: Breaker
  readonly holds: SharedHolds
}

const chargesAtOnce = 100

/** Tells Redis what was used without it. */
export class LocalCharges {
  readonly #options: LocalChargesOptions

  constructor(options: LocalChargesOptions) {
    this.#options = options
  }

  /**
   * What was used here is charged in Redis, some callers at a time, while others are admitted by this replica's part. The
   * last of it, and what still runs, goes out in one turn: on one connection nothing that comes after overtakes it. Rejects
   * where Redis fails at it; what it has not taken is kept, and told again.
   */
  async tell(): Promise<void> {
    const { local, breaker } = this.#options
    while (local.touched > chargesAtOnce) await Promise.all(this.#charge(chargesAtOnce))
    for (const charged of this.#charge(local.touched)) charged.catch(error => breaker.failed(error))
    local.forget()
  }

  #charge(callers: number): readonly Promise<void>[] {
    const { store, local, backlog, holds } = this.#options
    // First, so that what is held is not charged as well.
    for (const hold of holds.open) if (hold.place === 'local') hold.move()
    return local.takeUse(callers).map(async ({ set, amounts }) => {
      if (!amounts.some(amount => amount > 0)) return
      const id = `local-${randomUUID()}`
      const message = () => store.charge(id, set, amounts)
      try {
        await message()
      } catch (error) {
        backlog.keepFirst(message)
        throw error
      }
    })
  }
}
