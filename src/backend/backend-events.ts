import type { EndpointName } from '../schemas/config/models.ts'
import type { GateState } from './gate.ts'

/** What a backend tells of itself. */
export interface BackendEvents {
  readonly onGate: (change: GateChange) => void
  /** One of its gates lets somebody in again, by itself. */
  readonly onLetsIn: () => void
  /** What it is or how much it takes has become known. */
  readonly onKnown: () => void
  /** It has begun to turn calls away. */
  readonly onTurnsAway: () => void
}

export interface GateChange {
  readonly backend: string
  readonly endpoint: EndpointName
  readonly state: GateState
  /** Why it opened; null otherwise. */
  readonly reason: string | null
}
