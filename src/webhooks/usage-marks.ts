import { periodAt } from '../domain/calendar.ts'
import type { UsageEvent } from '../domain/usage-event.ts'
import type { Spender } from '../store/period-usage.ts'

export const dayMs = 86_400_000

/** What tells one from another. */
export const keyOfSpender = ({ accountId, keyId, tier, dayMs: day }: Spender): string =>
  JSON.stringify([accountId, keyId, tier, day])

/** Who has used something since it was last looked at, and on which days. Bounded: what has no room is said. */
export class UsageMarks {
  readonly #max: number
  #marks = new Map<string, Spender>()

  constructor(max: number) {
    this.#max = max
  }

  get isEmpty(): boolean {
    return this.#marks.size === 0
  }

  /** Whether there was room for all of them. */
  markEvents(events: readonly UsageEvent[]): boolean {
    return this.markAll(events.flatMap(spendersOf))
  }

  markAll(spenders: readonly Spender[]): boolean {
    let hasRoom = true
    for (const spender of spenders) {
      const key = keyOfSpender(spender)
      if (this.#marks.has(key)) continue
      if (this.#marks.size < this.#max) this.#marks.set(key, spender)
      else hasRoom = false
    }
    return hasRoom
  }

  /** All of them; none is left. */
  take(): readonly Spender[] {
    const taken = [...this.#marks.values()]
    this.#marks = new Map()
    return taken
  }
}

/** What costs nothing brings nobody nearer to a limit. */
function spendersOf({ accountId, keyId, tier, atMs, ...used }: UsageEvent): readonly Spender[] {
  if (used.inputTokens + used.outputTokens === 0 && used.costNanoUsd === 0) return []
  const dayMs = startOfDay(atMs)
  const account = { accountId, keyId: null, tier, dayMs }
  return keyId === null ? [account] : [account, { accountId, keyId, tier: null, dayMs }]
}

/** UTC, in milliseconds. */
export const startOfDay = (atMs: number): number => periodAt('day', atMs * 1000).fromUs / 1000
