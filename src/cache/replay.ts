/** An answer that was given before, as its caller asks for it now: in one piece, or as the events of a stream. */
import type { Call } from '../backend/call.ts'
import { envelope, eventEnvelope } from '../backend/envelope.ts'
import { eventsOf } from '../domain/answer-events.ts'
import type { Json } from '../domain/chat-event.ts'
import { formatUsage, type Usage } from '../domain/usage.ts'
import type { StoredAnswer } from './entry.ts'

/** With an id and a time of its own. The choices go on as they are, unread. */
export function replayWhole(call: Call, { choices, extras, usage }: StoredAnswer): string {
  const head = JSON.stringify({ ...envelope(call), model: call.askedModel, ...extras })
  return `${head.slice(0, -1)},"choices":${choices},"usage":${JSON.stringify(shownUsage(call, usage))}}`
}

/** All frames, up to `[DONE]`. `costUsd`: what it costs, null where that has no price. */
export function replayStream(call: Call, stored: StoredAnswer, costUsd: string | null): Buffer {
  const kind = call.operation === 'chat' ? 'chat' : 'completions'
  const events = eventsOf(kind, { ...stored.extras, choices: JSON.parse(stored.choices) })
  const writer = new EventWriter(call)
  const frames = events.map(event => writer.frame(tailOf(event)))
  return Buffer.from(frames.join('') + writer.last(stored.usage, costUsd))
}

/** What an event says beside what all events of one stream have in common; each caller has a beginning of its own. */
export function tailOf(event: Json): string {
  const {
    id: _id,
    object: _object,
    created: _created,
    model: _model,
    usage: _usage,
    timings: _timings,
    ...said
  } = event
  return withoutBrace(said)
}

/** Writes the events of one caller's stream. */
export class EventWriter {
  readonly #call: Call
  readonly #head: string

  constructor(call: Call) {
    this.#call = call
    this.#head = `data: ${JSON.stringify(eventEnvelope(call)).slice(0, -1)},`
  }

  /** `tail`: see tailOf. */
  frame(tail: string): string {
    return `${this.#head}${tail}\n\n`
  }

  /** The end: what it used, where its caller wants to know, and `[DONE]`. */
  last(usage: Usage | null, costUsd: string | null): string {
    const done = 'data: [DONE]\n\n'
    if (!this.#call.includeUsage || usage === null) return done
    const cost = costUsd === null ? {} : { weir_cost: costUsd }
    const event = { choices: [], usage: { ...shownUsage(this.#call, usage), ...cost } }
    return this.frame(withoutBrace(event)) + done
  }
}

const withoutBrace = (event: Json): string => JSON.stringify(event).slice(1)

const shownUsage = ({ model }: Call, usage: Usage): Json => formatUsage(usage, model.promptCache === 'account')
