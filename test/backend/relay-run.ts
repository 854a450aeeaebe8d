import { Fault } from '../../src/backend/fault.ts'
import { type RelayOptions, StreamRelay } from '../../src/backend/stream-relay.ts'
import { UsageTally } from '../../src/domain/usage.ts'

export interface Run {
  readonly text: string
  readonly events: Record<string, unknown>[]
  readonly relay: StreamRelay
}

/** Relays these bytes in these pieces. */
export function run(pieces: readonly Buffer[], options: Partial<RelayOptions> = {}): Run {
  const out: Buffer[] = []
  const relay = new StreamRelay({
    model: 'public-name',
    tally: new UsageTally(true, 1),
    includeUsage: false,
    hideCachedTokens: false,
    choices: 1,
    onFrames: frames => out.push(frames),
    ...options,
  })
  for (const piece of pieces) relay.push(piece)
  relay.end()
  const text = Buffer.concat(out).toString('utf8')
  const events = text
    .split('\n\n')
    .filter(frame => frame.startsWith('data: {'))
    .map(frame => JSON.parse(frame.slice(6)))
  return { text, events, relay }
}

export const split = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
export const frame = (content: string, more = {}) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: null }], model: 'alias', ...more })}\n\n`
export const finish = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"model":"alias"}\n\n'
export const done = 'data: [DONE]\n\n'

export const fault = (kind: string) => (error: unknown) => error instanceof Fault && error.kind === kind
