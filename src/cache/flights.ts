import type { Call } from '../backend/call.ts'
import type { Receiver } from '../backend/reception.ts'
import type { Run } from '../backend/run.ts'
import { Flight } from './flight.ts'

export interface FlightsOptions {
  /** Of one: see FlightOptions. */
  readonly maxLength: number
  readonly maxMembers: number
}

export interface Boarding {
  /** What is asked for; null where nobody else may have the answer. */
  readonly key: string | null
  /** Whose it is where there is none yet. */
  readonly leader: Call
  readonly priceShare: number
  readonly run: (call: Call, receiver: Receiver) => Run
}

/** The calls that are under way in this process, by what they ask for. */
export class Flights {
  readonly #options: FlightsOptions
  readonly #flights = new Map<string, Flight>()

  constructor(options: FlightsOptions) {
    this.#options = options
  }

  /** One that can be joined; a new one has to be started once somebody has. */
  board({ key, leader, priceShare, run }: Boarding): { readonly flight: Flight; readonly isNew: boolean } {
    const known = key === null ? undefined : this.#flights.get(key)
    if (known?.isOpen) return { flight: known, isNew: false }
    const isKnown = key !== null && known === undefined
    const flight = new Flight({
      ...this.#options,
      leader,
      priceShare,
      run,
      onClosed: () => {
        if (isKnown) this.#flights.delete(key)
      },
    })
    if (isKnown) this.#flights.set(key, flight)
    return { flight, isNew: true }
  }
}
