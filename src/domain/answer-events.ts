import { choicesOf, isObject, type Json } from './chat-event.ts'

/** Of one event, in characters: a client that shows text as it comes gets it in pieces it can show. */
const pieceLength = 2048

/**
 * The events of a stream that says what this answer says, each without what all events have in common (id, object, created,
 * model): first who speaks, then what is said, then how it ended. The opposite of Assembler, which makes the answer of them.
 */
export function eventsOf(kind: 'chat' | 'completions', answer: Json): readonly Json[] {
  const {
    choices: _choices,
    id: _id,
    object: _object,
    created: _created,
    model: _model,
    usage: _usage,
    ...rest
  } = answer
  const pieces = choicesOf(answer).flatMap(choice => (kind === 'chat' ? chatPieces(choice) : textPieces(choice)))
  return pieces.map(piece => ({ ...rest, choices: [piece] }))
}

function chatPieces({ index, message, finish_reason: reason, logprobs }: Json): Json[] {
  const said = isObject(message) ? message : {}
  const { role = 'assistant', content, tool_calls: toolCalls, reasoning_content, reasoning, refusal } = said
  const piece = (delta: Json, more: Json = {}): Json => ({ index, delta, ...more, finish_reason: null })
  const pieces = [piece({ role, content: typeof content === 'string' ? '' : null })]
  for (const text of cut(reasoning_content)) pieces.push(piece({ reasoning_content: text }))
  for (const text of cut(reasoning)) pieces.push(piece({ reasoning: text }))
  for (const text of cut(content)) pieces.push(piece({ content: text }))
  for (const text of cut(refusal)) pieces.push(piece({ refusal: text }))
  if (Array.isArray(toolCalls)) {
    for (const [at, call] of toolCalls.entries()) pieces.push(piece({ tool_calls: [{ index: at, ...call }] }))
  }
  if (isObject(logprobs)) pieces.push(piece({}, { logprobs }))
  pieces.push({ index, delta: {}, finish_reason: reason })
  return pieces
}

function textPieces({ index, text, finish_reason: reason, logprobs }: Json): Json[] {
  const pieces: Json[] = cut(text).map(part => ({ index, text: part, logprobs: null, finish_reason: null }))
  if (isObject(logprobs)) pieces.push({ index, text: '', logprobs, finish_reason: null })
  pieces.push({ index, text: '', logprobs: null, finish_reason: reason })
  return pieces
}

/** Not within a surrogate pair, since each piece is written as UTF-8. */
function cut(text: unknown): string[] {
  if (typeof text !== 'string') return []
  const pieces: string[] = []
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + pieceLength, text.length)
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end--
    pieces.push(text.slice(start, end))
    start = end
  }
  return pieces
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff
