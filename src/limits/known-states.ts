import { LRUCache } from 'lru-cache'
import { periodAt } from '../domain/calendar.ts'
import type { Limit, LimitSet } from '../domain/limit.ts'
import { mostOf } from '../domain/limit-headers.ts'
import type { KnownState, LimitState, Verdict } from '../domain/reservation.ts'

/** What the shared store said last of one caller's limits. */
interface Known {
  readonly states: readonly LimitState[]
  /** When it was said: by the monotonic clock in milliseconds, and by the store's own in microseconds. */
  readonly sinceMs: number
  readonly atUs: number
  /** What was asked for in vain; null where it was admitted. */
  readonly denied: readonly number[] | null
  /** How many ask again at the moment, and since when. */
  asking: { count: number; sinceMs: number }
}

const maxKnown = 10_000
/**
 * The longest that a denial is believed without asking again: others may settle for less, or a limit be raised elsewhere.
 * Four replicas ask 16 times a second about a caller who is denied all the time, and 40 times where a place in flight,
 * which may come free at any moment, is what it lacks.
 */
const believeMs = 250
const believeFlightMs = 100
const unansweredMs = 100
/** Of those who come while another one asks. */
const leastWaitUs = 1000

interface Denied {
  readonly waitUs: number
  readonly elapsedMs: number
  readonly amount: number
}

/**
 * The last states of each caller, bounded. A caller who was denied and asks for as much again is denied from here, which
 * spares the shared store those who do not wait; and without the store they are what its local part begins with.
 */
export class KnownStates {
  readonly #known = new LRUCache<string, Known>({ max: maxKnown })

  note(set: LimitSet, verdict: Verdict, amounts: readonly number[], nowMs: number): void {
    const { states, atUs } = verdict
    this.#known.set(set.fingerprint, {
      states,
      sinceMs: nowMs,
      atUs,
      denied: verdict.kind === 'denied' ? amounts : null,
      asking: { count: 0, sinceMs: 0 },
    })
  }

  /** The states that deny this request by what is known, with the waits that are left; null where one has to ask. */
  findDenial(
    { fingerprint, limits }: LimitSet,
    amounts: readonly number[],
    nowMs: number,
  ): readonly LimitState[] | null {
    const known = this.#known.get(fingerprint)
    if (known === undefined || known.denied === null) return null
    const { denied, states, sinceMs } = known
    // Of what was not lacking then, more may be lacking now, or more than there ever is.
    const wantsMore = limits.some(
      (_, index) => states[index]?.waitUs === 0 && (amounts[index] ?? 0) > (denied[index] ?? 0),
    )
    if (wantsMore) return null
    const elapsedMs = nowMs - sinceMs
    let mayAsk = Number.POSITIVE_INFINITY
    let isDenied = false
    for (const [index, limit] of limits.entries()) {
      const { waitUs } = states[index] ?? { waitUs: 0 }
      const [wanted, inVain] = [amounts[index] ?? 0, denied[index] ?? 0]
      if (waitUs === 0 || wanted < inVain) continue
      isDenied = true
      mayAsk = Math.min(mayAsk, askersOf(limit, { waitUs, elapsedMs, amount: inVain }))
    }
    if (!isDenied || maySpend(known.asking, mayAsk, nowMs)) return null
    const elapsedUs = elapsedMs * 1000
    return limits.map((limit, index) => {
      const { used, waitUs } = states[index] ?? { used: 0, waitUs: 0 }
      if (waitUs === 0) return { used, waitUs }
      const [wanted, inVain] = [amounts[index] ?? 0, denied[index] ?? 0]
      if (limit.kind !== 'flight' && wanted > mostOf(limit)) return { used, waitUs: Number.POSITIVE_INFINITY }
      // Behind those that ask, and for what is more than was asked for in vain.
      const moreUs = known.asking.count * refillUs(limit, inVain) + refillUs(limit, Math.max(0, wanted - inVain))
      return { used, waitUs: Math.max(leastWaitUs, waitUs - elapsedUs + moreUs) }
    })
  }

  /** Where something has been given back of what was lacking, it may fit now. */
  forgetDenial({ fingerprint, limits }: LimitSet, held: readonly number[], used: readonly number[]): void {
    const known = this.#known.peek(fingerprint)
    if (!known?.denied) return
    const isFreed = limits.some((limit, index) => {
      const lacks = (known.states[index]?.waitUs ?? 0) > 0
      return lacks && (limit.kind === 'flight' || (used[index] ?? 0) < (held[index] ?? 0))
    })
    if (isFreed) this.#known.set(fingerprint, { ...known, denied: null })
  }

  /** For whoever only wants to know; null of a caller never seen. */
  lastStates(set: LimitSet, nowMs: number): readonly KnownState[] {
    const used = this.usedNow(set, nowMs)
    return set.limits.map((_, index) => (used === null ? null : { used: used[index] ?? 0, waitUs: 0 }))
  }

  /**
   * What of each limit was used, as far as is known, less what has been refilled since; null for a caller never seen, or not
   * for so long.
   */
  usedNow(
    { fingerprint, limits }: LimitSet,
    nowMs: number,
    maxAgeMs = Number.POSITIVE_INFINITY,
  ): readonly number[] | null {
    const known = this.#known.peek(fingerprint)
    if (known === undefined) return null
    const elapsedMs = nowMs - known.sinceMs
    if (elapsedMs > maxAgeMs) return null
    return limits.map((limit, index) => usedAfter(limit, known.states[index]?.used ?? 0, known.atUs, elapsedMs))
  }
}

/**
 * How many may ask about a limit at once that has denied: nobody while the denial is believed, then one, and where time has
 * refilled enough for more, as many as that.
 */
function askersOf(limit: Limit, { waitUs, elapsedMs, amount }: Denied): number {
  const believedMs = Math.min(waitUs / 1000, limit.kind === 'flight' ? believeFlightMs : believeMs)
  if (elapsedMs < believedMs) return 0
  const refillingMs = elapsedMs - waitUs / 1000
  if (limit.kind !== 'rate' || limit.size === 0 || refillingMs <= 0) return 1
  return 1 + Math.floor((refillingMs * 1000) / refillUs(limit, Math.max(1, amount)))
}

/** How long a rate takes to refill so much; 0 of other limits, of which nobody knows. */
function refillUs(limit: Limit, amount: number): number {
  if (limit.kind !== 'rate' || limit.size === 0) return 0
  return (limit.periodMs * 1000 * amount) / limit.size
}

function maySpend(asking: Known['asking'], most: number, nowMs: number): boolean {
  if (most === 0) return false
  // Those who asked and were not answered in a while are not waited for.
  if (nowMs - asking.sinceMs > unansweredMs) {
    asking.count = 0
    asking.sinceMs = nowMs
  }
  if (asking.count >= most) return false
  asking.count++
  return true
}

function usedAfter(limit: Limit, used: number, atUs: number, elapsedMs: number): number {
  switch (limit.kind) {
    case 'rate':
      return Math.max(0, Math.ceil(used - (limit.size * elapsedMs) / limit.periodMs))
    case 'period':
      return atUs + elapsedMs * 1000 < periodAt(limit.period, atUs).untilUs ? used : 0
    case 'flight':
      return used
  }
}
