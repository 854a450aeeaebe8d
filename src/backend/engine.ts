import type { engineNames } from '../schemas/config/backends.ts'

export type EngineName = Exclude<(typeof engineNames)[number], 'auto'>

/** How one kind of inference server differs from another; everything that depends on the kind is here. */
export interface Engine {
  readonly name: EngineName
  /** Where it says whether it is there and has loaded, at little cost. */
  readonly healthPath: string
  /**
   * A caller who leaves a non-streaming request is not noticed, so every call goes as a stream and is assembled here.
   */
  readonly alwaysStream: boolean
  /** It closes the connection after every stream although it says keep-alive. */
  readonly closesAfterStream: boolean
  /** How long an idle connection may be kept. Idle ones pin llama-server's HTTP threads. */
  readonly idleConnectionMs: number
  /** It reports the usage of each choice by itself instead of the request's. */
  readonly usagePerChoice: boolean
  /** It stops generating when its client goes, so a lost request may be sent again. */
  readonly stopsWithClient: boolean
  /** It understands a `tool_choice` that names a function; otherwise it takes one for `auto` without a word. */
  readonly readsNamedToolChoice: boolean
  /** It refuses a max_tokens that does not fit beside the prompt, instead of stopping there. */
  readonly refusesBoundBeyondContext: boolean
}

const engines: Record<EngineName, Engine> = {
  'llama-server': {
    name: 'llama-server',
    healthPath: '/health',
    alwaysStream: true,
    closesAfterStream: true,
    idleConnectionMs: 1000,
    usagePerChoice: true,
    stopsWithClient: true,
    readsNamedToolChoice: false,
    refusesBoundBeyondContext: false,
  },
  vllm: {
    name: 'vllm',
    healthPath: '/health',
    alwaysStream: false,
    closesAfterStream: false,
    idleConnectionMs: 4000,
    usagePerChoice: false,
    stopsWithClient: true,
    readsNamedToolChoice: true,
    refusesBoundBeyondContext: true,
  },
  ollama: {
    name: 'ollama',
    healthPath: '/api/version',
    alwaysStream: false,
    closesAfterStream: false,
    idleConnectionMs: 4000,
    usagePerChoice: false,
    stopsWithClient: true,
    readsNamedToolChoice: true,
    refusesBoundBeyondContext: false,
  },
  openai: {
    name: 'openai',
    healthPath: '/v1/models',
    alwaysStream: false,
    closesAfterStream: false,
    idleConnectionMs: 4000,
    usagePerChoice: false,
    stopsWithClient: false,
    readsNamedToolChoice: true,
    refusesBoundBeyondContext: false,
  },
}

export const getEngine = (name: EngineName): Engine => engines[name]
