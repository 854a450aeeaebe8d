import type { Model, Target } from '../domain/catalog.ts'
import type { Usage } from '../domain/usage.ts'
import type { EndpointName } from '../schemas/config/models.ts'
import type { Backend } from './backend.ts'
import type { Engine } from './engine.ts'
import type { Fault, FaultContext } from './fault.ts'

/** One inference request on its way to a backend. */
export interface Call {
  readonly operation: EndpointName
  readonly model: Model
  /** The name the caller asked for; the answer carries it. */
  readonly askedModel: string
  /** Choices expected in all: `n` times the prompts. */
  readonly choices: number
  readonly choicesPerPrompt: number
  /** Whether the caller asked for a stream, and for the usage in it. */
  readonly stream: boolean
  readonly includeUsage: boolean
  /** The body for this target; built anew for each, because names and engine fields differ. */
  readonly buildBody: (target: Target, engine: Engine, stream: boolean) => Buffer
  /** Filled in on the way, for the log, the metrics and later the ledger. */
  readonly record: CallRecord
}

/** What became of a call; read once, when the reply's socket closes. */
export interface CallRecord {
  backend: string | null
  attempts: number
  /** When the first content came, in milliseconds of the monotonic clock. */
  firstContentAt: number | null
  usage: Usage | null
  /** Null while it went well. */
  fault: Fault | null
}

/** Where a call goes: one backend, and the model's name there. */
export interface Route {
  readonly backend: Backend
  readonly engine: Engine
  readonly target: Target
}

const paths: Record<EndpointName, string> = {
  chat: '/v1/chat/completions',
  completions: '/v1/completions',
  embeddings: '/v1/embeddings',
}
export const callPath = (call: Call): string => paths[call.operation]

const promptFields: Record<EndpointName, string> = { chat: 'messages', completions: 'prompt', embeddings: 'input' }
export const faultContext = (call: Call): FaultContext => ({
  model: call.askedModel,
  promptField: promptFields[call.operation],
})
