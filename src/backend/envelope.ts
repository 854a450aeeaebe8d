import { randomUUID } from 'node:crypto'
import type { Json } from '../domain/chat-event.ts'
import type { Call } from './call.ts'

const kinds = {
  chat: { object: 'chat.completion', event: 'chat.completion.chunk', idPrefix: 'chatcmpl-' },
  completions: { object: 'text_completion', event: 'text_completion', idPrefix: 'cmpl-' },
  embeddings: { object: 'list', event: 'list', idPrefix: null },
} as const

/** What every answer has, where a backend leaves it out. */
export function envelope({ operation }: Call): Json {
  const { object, idPrefix } = kinds[operation]
  if (idPrefix === null) return { object }
  return { id: idPrefix + randomUUID(), object, created: Math.floor(Date.now() / 1000) }
}

/** What every event of one stream has, the same in each. */
export const eventEnvelope = (call: Call): Json => ({
  ...envelope(call),
  object: kinds[call.operation].event,
  model: call.askedModel,
})

/** Puts in what is missing or null; returns whether anything was. */
export function complete(answer: Json, whole: Json): boolean {
  let wasPartial = false
  for (const [name, value] of Object.entries(whole)) {
    if (answer[name] !== undefined && answer[name] !== null) continue
    answer[name] = value
    wasPartial = true
  }
  return wasPartial
}
