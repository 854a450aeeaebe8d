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
    const name = key === null ? null : nameOf(key, leader)
    const known = name === null ? undefined : this.#flights.get(name)
    if (known?.isOpen) return { flight: known, isNew: false }
    const isKnown = name !== null && known === undefined
    const flight = new Flight({
      ...this.#options,
      leader,
      priceShare,
      run,
      onClosed: () => {
        if (isKnown) this.#flights.delete(name)
      },
    })
    if (isKnown) this.#flights.set(name, flight)
    return { flight, isNew: true }
  }
}

/** Who may use another fallback may be given another answer. */
const nameOf = (key: string, { fallbacks }: Call): string => JSON.stringify([key, ...fallbacks.map(({ id }) => id)])
