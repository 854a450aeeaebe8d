import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import {
  Admission,
  type AdmissionOptions,
  type AdmissionRequest,
  type Place,
  type Server,
  type Waiting,
} from '../../src/backend/admission.ts'
import { Refusal } from '../../src/backend/refusal.ts'
import type { EndpointName } from '../../src/schemas/config/models.ts'
import { onEnd } from '../support/cleanup.ts'

/** A backend that says what a test wants. */
export class ScriptedServer implements Server {
  readonly name: string
  readonly id: string
  slots: number | null
  readonly closed = new Set<EndpointName>()
  pauseMs = 0

  constructor(name: string, slots: number | null = 1, id = name) {
    this.name = name
    this.id = id
    this.slots = slots
  }

  isOpen(endpoint: EndpointName): boolean {
    return !this.closed.has(endpoint)
  }

  pauseLeftMs(): number {
    return this.pauseMs
  }
}

export interface RequestChanges extends Partial<Omit<AdmissionRequest, 'candidates'>> {
  readonly servers: readonly Server[]
}

const endpoints = new Set<EndpointName>(['chat', 'completions', 'embeddings'])

export function requestFor({ servers, ...changes }: RequestChanges): AdmissionRequest {
  return {
    endpoint: 'chat',
    candidates: servers.map(server => ({
      server,
      target: { backend: server.name, model: 'tinychat', weight: 1, endpoints },
    })),
    account: 'account',
    tier: 'pro',
    priority: 50,
    waitMs: 10_000,
    isRetry: false,
    choose: ([first]) => first ?? assert.fail('nothing to choose from'),
    ...changes,
  }
}

/** An admission by a clock that the test sets, and what it told of itself. At the test's end nobody waits any more. */
export function admissionWorld(t: TestContext, options: Partial<AdmissionOptions> = {}) {
  const clock = { ms: 0 }
  const gauge = { waiting: 0 }
  const told: string[] = []
  /** Of those who began to wait, as they were told. */
  const positions: number[] = []
  const waits: Waiting[] = []
  onEnd(t, () => {
    for (const waiting of waits) waiting.cancel()
  })
  const admission = new Admission({
    maxWaiting: 10,
    nowMs: () => clock.ms,
    events: {
      onJoined: (_request, position) => {
        gauge.waiting += 1
        positions.push(position)
      },
      onLeft: () => {
        gauge.waiting -= 1
      },
      onAdmitted: ({ account }, { candidate, waitedMs }) =>
        void told.push(`${account} on ${candidate.server.name} after ${waitedMs}`),
      onRefused: ({ account }, reason) => void told.push(`${account}: ${reason}`),
    },
    ...options,
  })
  const admit = (changes: RequestChanges) => {
    const admitted = admission.admit(requestFor(changes))
    if ('cancel' in admitted) waits.push(admitted)
    return admitted
  }
  return { admission, clock, gauge, told, positions, admit }
}

export function placeOf(admitted: Place | Waiting): Place {
  return 'release' in admitted ? admitted : assert.fail('it has to wait')
}

export function waitOf(admitted: Place | Waiting): Waiting {
  return 'place' in admitted ? admitted : assert.fail('it does not wait')
}

export async function refusalOf(admitted: Place | Waiting): Promise<Refusal> {
  const outcome = await waitOf(admitted).place.catch((error: unknown) => error)
  return outcome instanceof Refusal ? outcome : assert.fail(String(outcome))
}
