import type { BackendView } from '../schemas/admin/backends.ts'
import { endpointNames } from '../schemas/config/models.ts'
import type { Admission } from './admission.ts'
import type { Backend } from './backend.ts'
import type { BackendState } from './watch.ts'

/** What an operator is shown of a backend. */
export function viewBackend(backend: Backend, state: BackendState, admission: Admission): BackendView {
  const { name, id, drain, knownSlots } = backend
  return {
    object: 'backend',
    name,
    engine: backend.engine?.name ?? null,
    state: state.kind,
    reason: state.kind === 'down' ? state.reason : null,
    drained: drain.isOn,
    slots: knownSlots,
    in_flight: admission.inFlight(id),
    waiting: admission.waiting(id),
    longest_wait_ms: Math.round(admission.longestWaitMs(id)),
    breakers: endpointNames.map(endpoint => ({
      endpoint,
      state: backend.gate(endpoint).state,
      retry_in_ms: Math.ceil(backend.pauseLeftMs(endpoint)),
    })),
  }
}
