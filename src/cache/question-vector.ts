/** The vector of a question, made by a model of the gateway's own, as any caller's embeddings are; but no caller pays for it. */
import { type Call, newRecord } from '../backend/call.ts'
import { type Collector, collect } from '../backend/collect-answer.ts'
import type { Receiver } from '../backend/reception.ts'
import type { Run } from '../backend/run.ts'
import type { Model } from '../domain/catalog.ts'
import { isObject } from '../domain/chat-event.ts'
import { convertVector } from '../domain/embedding.ts'

export interface QuestionVector {
  /** Of length 1. */
  readonly vector: readonly number[]
  readonly inputTokens: number
}

/** How long is waited for it, longer than any look-up waits: whoever asks the same later finds the answer by it. */
const embeddingMs = 5000

const nothing = { values: new Map(), bytes: new Uint8Array(), places: [] }

/** Null where none came, for whatever reason: the backend's own records say which. Never rejects. */
export function embedQuestion(
  text: string,
  model: Model,
  { account, run }: { readonly account: string; readonly run: (call: Call, receiver: Receiver) => Run },
): Promise<QuestionVector | null> {
  const { promise, resolve } = Promise.withResolvers<QuestionVector | null>()
  const call = buildCall(text, model, account)
  let collector: Collector | null = null
  const receiver: Receiver = {
    relays: false,
    wantsStream: () => false,
    begin: route => {
      collector = collect(call, route)
      return collector
    },
    end: fault => resolve(fault === null && collector !== null ? readVector(collector) : null),
  }
  run(call, receiver).start()
  return promise
}

function buildCall(text: string, model: Model, account: string): Call {
  return {
    operation: 'embeddings',
    model,
    fallbacks: [],
    askedModel: model.id,
    choices: 1,
    choicesPerPrompt: 1,
    stream: false,
    includeUsage: false,
    // Whoever waits for an answer of a backend goes first.
    caller: { account, tier: null, priority: 0, queueWaitMs: embeddingMs, deadlineMs: performance.now() + embeddingMs },
    arm: null,
    prefixKey: () => null,
    asks: () => ({ fields: nothing, outputBound: 0 }),
    buildBody: ({ target }) =>
      Buffer.from(JSON.stringify({ model: target.model, input: text, encoding_format: 'float' })),
    trace: null,
    record: newRecord(),
  }
}

function readVector({ answer, usage }: Collector): QuestionVector | null {
  const { data } = answer
  const [first] = Array.isArray(data) ? data : []
  const vector = isObject(first) ? convertVector(first['embedding'], 'float') : undefined
  if (!Array.isArray(vector)) return null
  const length = Math.hypot(...vector)
  // One of nothing but zeros is near to none.
  return length > 0 ? { vector: vector.map(value => value / length), inputTokens: usage?.inputTokens ?? 0 } : null
}
