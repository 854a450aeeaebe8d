import { choicesOf, isObject, type Json } from './chat-event.ts'

export interface StorableAsk {
  /** Choices that were asked for. */
  readonly choices: number
  readonly keepsToolCalls: boolean
}

/**
 * Whether an answer may be given again: all choices are there, and each came to an end of its own. One that was cut by a bound
 * or a filter, or of which nobody says how it ended, is not.
 */
export function isStorable(answer: Json, { choices, keepsToolCalls }: StorableAsk): boolean {
  const found = choicesOf(answer)
  return found.length === choices && found.every(choice => hasEnded(choice, keepsToolCalls))
}

/** Whether one of its choices calls a tool. */
export const callsTools = (answer: Json): boolean => choicesOf(answer).some(choiceCallsTools)

function choiceCallsTools({ finish_reason: reason, message }: Json): boolean {
  const toolCalls = isObject(message) ? message['tool_calls'] : undefined
  // Some engines say `stop` of an answer that calls a tool.
  return reason === 'tool_calls' || (Array.isArray(toolCalls) && toolCalls.length > 0)
}

function hasEnded(choice: Json, keepsToolCalls: boolean): boolean {
  const { finish_reason: reason } = choice
  if (choiceCallsTools(choice)) return keepsToolCalls && (reason === 'tool_calls' || reason === 'stop')
  return reason === 'stop'
}
