/** What a trace is told of a request, step by step. Whoever tells asks for null first: nobody may be tracing. */
import type { Fault } from '../backend/fault.ts'
import type { Usage } from '../domain/usage.ts'
import type { EndpointName } from '../schemas/config/models.ts'

export type StepName = 'authenticate' | 'reserve' | 'queue' | 'settle'

/** A step that has begun. Ends once. */
export interface Step {
  /** What went wrong with it, if anything did. */
  end(error?: unknown): void
}

export interface AttemptStart {
  readonly operation: EndpointName
  /** As the configuration calls it. */
  readonly backend: string
  /** Its address. */
  readonly url: string
  /** What kind of server it is; null where that is not known. */
  readonly engine: string | null
  /** Its own name for the model. */
  readonly model: string
}

export interface AttemptTrace {
  /** The headers by which the backend's own spans become a part of the trace. */
  readonly headers: Readonly<Record<string, string>>
  /** Its first content is there. */
  firstToken(): void
  /** Once; later ones say nothing new. */
  end(fault: Fault | null, usage: Usage | null): void
}

/** What a call to a backend tells. */
export interface CallTrace {
  begin(step: StepName): Step
  attempt(about: AttemptStart): AttemptTrace
}

export interface RequestTrace extends CallTrace {
  /** 32 hex digits. */
  readonly traceId: string
  /** Its answer has ended; steps may still begin. */
  end(about: RequestEnd): void
}

export interface RequestStart {
  readonly method: string
  /** The pattern of the route; undefined where none has matched. */
  readonly route: string | undefined
  readonly operation: string
  readonly requestId: string
  readonly traceparent: string | string[] | undefined
  readonly tracestate: string | string[] | undefined
}

export interface RequestEnd {
  readonly status: number
  /** In the words of the metrics. */
  readonly outcome: string
  readonly account: string | null
  readonly key: string | null
  readonly tier: string | null
  /** That was asked for, by its public name. */
  readonly model: string | null
  /** That has answered. */
  readonly answeredBy: string | null
  readonly backend: string | null
  readonly attempts: number
  /** Null where no answer of a model was asked for. */
  readonly isStream: boolean | null
  readonly usage: Usage | null
}

export interface Traces {
  begin(about: RequestStart): RequestTrace
  /** Sends what has ended, within a bound; never rejects. */
  stop(): Promise<void>
}
