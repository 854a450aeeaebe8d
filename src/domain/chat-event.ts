/** What the events of a completion stream say, read without trusting their shape. */

export type Json = Record<string, unknown>

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

/** The choices of an event that are objects. */
export function choicesOf(event: Json): readonly Json[] {
  const { choices } = event
  return Array.isArray(choices) ? choices.filter(isObject) : []
}

/**
 * Whether the caller learns something from this event: text, reasoning, a refusal, a tool call, or that a choice has
 * ended. The first event, which only says who speaks, is not content: until content comes another backend may take over.
 */
export function hasContent(event: Json): boolean {
  return choicesOf(event).some(choice => isText(choice['finish_reason']) || hasOutput(choice))
}

/** The choices of an event that bring something the model has written. */
export const countPieces = (event: Json): number => choicesOf(event).filter(hasOutput).length

function hasOutput(choice: Json): boolean {
  if (isText(choice['text'])) return true
  const { delta } = choice
  if (!isObject(delta)) return false
  const { tool_calls: toolCalls } = delta
  return (
    isText(delta['content']) ||
    isText(delta['reasoning_content']) ||
    isText(delta['reasoning']) ||
    isText(delta['refusal']) ||
    (Array.isArray(toolCalls) && toolCalls.length > 0)
  )
}
