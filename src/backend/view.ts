import type { BackendView } from '../schemas/admin/backends.ts'
import { endpointNames } from '../schemas/config/models.ts'
import type { Admission } from './admission.ts'
import type { Backend } from './backend.ts'
import type { BackendState } from './watch.ts'

/** What an operator is shown of a backend. */
export function viewBackend(backend: Backend, state: BackendState, admission: Admission): BackendView {
  const { name, isDrained, slots } = backend
  return {
    object: 'backend',
    name,
    engine: backend.engine?.name ?? null,
    state: state.kind,
    reason: state.kind === 'down' ? state.reason : null,
    drained: isDrained,
    slots,
    in_flight: admission.inFlight(name),
    waiting: admission.waiting(name),
    breakers: endpointNames.map(endpoint => ({
      endpoint,
      state: backend.gate(endpoint).state,
      retry_in_ms: Math.ceil(backend.pauseLeftMs(endpoint)),
    })),
  }
}
