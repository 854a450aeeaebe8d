import type { Call } from './call.ts'
import { Dispatch } from './dispatch.ts'
import { Failover } from './failover.ts'
import type { Fleet } from './fleet.ts'
import type { Receiver } from './reception.ts'
import type { LiveCall } from './stream-answer.ts'

/** A call on its way to a backend, for somebody else than the one caller whose reply it is. */
export interface Run extends LiveCall {
  /** May end before it returns. */
  start(): void
  pause(): void
  resume(): void
}

/** Not started yet; it is among the `live` ones until it ends. */
export function buildRun(call: Call, fleet: Fleet, receiver: Receiver, live: Set<LiveCall>): Run {
  const counted: Receiver = {
    get relays() {
      return receiver.relays
    },
    wantsStream: engine => receiver.wantsStream(engine),
    begin: route => receiver.begin(route),
    end: fault => {
      live.delete(dispatch)
      receiver.end(fault)
    },
  }
  const dispatch: Dispatch = new Dispatch(call, fleet, counted, new Failover(call, fleet))
  live.add(dispatch)
  return dispatch
}
