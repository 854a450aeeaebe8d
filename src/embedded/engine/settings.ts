/** What the parent tells the engine's process, as JSON in its only argument. */
export interface EngineSettings {
  /** Absolute path of the GGUF file. */
  readonly modelPath: string
  /** The public name of the model. */
  readonly modelName: string
  /** How many completions run at once; more wait in line. */
  readonly slots: number
  /** Tokens of prompt and answer together that one completion may hold. */
  readonly contextLength: number
  /** The loopback port to listen on; 0 takes a free one. */
  readonly port: number
}

/** What the engine's process tells its parent over the IPC channel. */
export type EngineReport =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'ready' }
  /** This platform has no engine package. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  /** The model cannot be loaded, however often one tries. */
  | { readonly kind: 'failed'; readonly reason: string }

/** Reads the settings back; throws on anything that `JSON.stringify` of EngineSettings did not write. */
export function parseSettings(text: string): EngineSettings {
  const value: unknown = JSON.parse(text)
  if (!isRecord(value)) throw new Error('the engine was started without settings')
  const { modelPath, modelName, slots, contextLength, port } = value
  if (
    typeof modelPath !== 'string' ||
    typeof modelName !== 'string' ||
    typeof slots !== 'number' ||
    typeof contextLength !== 'number' ||
    typeof port !== 'number'
  ) {
    throw new Error('the engine was started with incomplete settings')
  }
  return { modelPath, modelName, slots, contextLength, port }
}

/** Whether a message from the child is one of ours; Node's IPC channel carries anything. */
export function isReport(value: unknown): value is EngineReport {
  if (!isRecord(value)) return false
  switch (value['kind']) {
    case 'listening':
      return typeof value['port'] === 'number'
    case 'ready':
      return true
    case 'unavailable':
    case 'failed':
      return typeof value['reason'] === 'string'
    default:
      return false
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
