import { isObject, type Json } from '../domain/chat-event.ts'
import { Fault } from './fault.ts'

/** Parses the data of one frame. Throws a Fault where it is no event, or the backend's word that it has failed. */
export function parseEvent(data: string): Json {
  let event: unknown
  try {
    event = JSON.parse(data)
  } catch {
    throw new Fault('rubbish', 'an event of the stream is not JSON')
  }
  if (!isObject(event)) throw new Fault('rubbish', 'an event of the stream is not an object')
  if (isFailure(event)) throw new Fault('failed', 'the backend reported an error in its stream')
  return event
}

/** OpenAI's `error`, or an error that stands by itself, as in `{"object":"error","message":…}`. */
function isFailure(event: Json): boolean {
  const { error, choices, object, message } = event
  if (error !== undefined && error !== null) return true
  return !Array.isArray(choices) && (object === 'error' || typeof message === 'string')
}
