import type { LimitSet } from '../domain/limit.ts'
import type { KnownState, LimitState, Reservation, Verdict } from '../domain/reservation.ts'
import type { PastUse } from './past-use.ts'
import type { UncountedRequests } from './uncounted-requests.ts'

export interface Request {
  /** Used once. */
  readonly id: string
  readonly set: LimitSet
  /** What it may take at most, in the order of `set.limits`. */
  readonly amounts: readonly number[]
  /** Whether it is refused while the limits cannot be kept together with all replicas. */
  readonly failsClosed: boolean
}

/** What is held for a request that was admitted, until it is settled. */
export interface Hold {
  readonly reservation: Reservation
  /** Puts what was really used (in the order of the limits) in the place of what is held. Once; never waits, never throws. */
  settle(used: readonly number[]): void
}

/** `set` is the one that the states are of: a replica that is on its own counts against its part. */
export type Decision =
  | { readonly kind: 'admitted'; readonly hold: Hold; readonly set: LimitSet; readonly states: readonly LimitState[] }
  | {
      readonly kind: 'denied'
      readonly set: LimitSet
      readonly states: readonly LimitState[]
      readonly isLocal: boolean
    }
  /** The limits cannot be kept now, and the caller's tier wants them kept. */
  | { readonly kind: 'unavailable' }

export interface Look {
  readonly set: LimitSet
  readonly states: readonly KnownState[]
  /** This replica counts for itself. */
  readonly isLocal: boolean
}

/** What keeps callers to their limits, wherever it counts. */
export interface Limiter {
  /**
   * To be told of each request that is let in, for the days and months that it has no limit of: who gets one before they are
   * over, or has one by another tier, has used it as well.
   */
  readonly uncounted: UncountedRequests
  /** Whether this replica counts for itself alone, because Redis does not answer it. */
  readonly isLocal: boolean
  /** Never rejects. */
  reserve(request: Request): Decision | Promise<Decision>
  look(set: LimitSet): Promise<Look>
  /** Who knows what was used of days and months before it began to count; until then whoever has such limits is refused. */
  seedFrom(past: PastUse): void
  close(): Promise<void>
}

/** What a limiter tells of its work. */
export interface LimiterEvents {
  /** One round trip of a reservation, in milliseconds. */
  readonly onRoundTrip: (durationMs: number) => void
  /** What Redis has still to be told, and what was given up so far. */
  readonly onBacklog: (waiting: number, dropped: number) => void
  /** Redis is silent and may be away; or it answers after it was, or nobody waits for it any more. */
  readonly onSuspicion: (isSuspected: boolean) => void
  /** Redis answers, and not what it should: said now and then while it lasts. */
  readonly onTrouble: (reason: string) => void
  readonly onModeChange: (isLocal: boolean, reason: string | null) => void
}

export const decide = (
  verdict: Verdict,
  set: LimitSet,
  rest: { readonly isLocal: boolean; readonly hold: (reservation: Reservation) => Hold },
): Decision =>
  verdict.kind === 'admitted'
    ? { kind: 'admitted', hold: rest.hold(verdict.reservation), set, states: verdict.states }
    : { kind: 'denied', set, states: verdict.states, isLocal: rest.isLocal }
