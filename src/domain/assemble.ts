/**
 * Builds the whole answer from the events of its stream, as the backend would have answered without `stream`: a call goes
 * upstream as a stream even where the caller wants one piece, because only then does llama-server notice a caller who left.
 */
import { choicesOf, isObject, type Json } from './chat-event.ts'

interface ToolCall {
  id: string | null
  name: string
  arguments: string
}

interface ChoiceParts {
  role: string
  /** `content` of a chat choice, `text` of a completion. */
  text: string[]
  reasoning: string[]
  /** The same under the name that newer servers give it; what came as one goes out as one. */
  bareReasoning: string[]
  refusal: string[]
  toolCalls: Map<number, ToolCall>
  logprobs: Map<string, unknown[]>
  finishReason: unknown
}

export class Assembler {
  readonly #kind: 'chat' | 'completions'
  readonly #choices = new Map<number, ChoiceParts>()
  #mould: Json = {}

  constructor(kind: 'chat' | 'completions') {
    this.#kind = kind
  }

  /** Takes the next event of the stream. */
  add(event: Json): void {
    const { choices: _choices, object: _object, ...mould } = event
    this.#mould = mould
    for (const choice of choicesOf(event)) {
      const { index } = choice
      const parts = this.#partsOf(typeof index === 'number' ? index : 0)
      const { finish_reason: finishReason, logprobs, text, delta } = choice
      if (finishReason !== null && finishReason !== undefined) parts.finishReason = finishReason
      if (isObject(logprobs)) addLogprobs(parts.logprobs, logprobs)
      if (typeof text === 'string') parts.text.push(text)
      if (isObject(delta)) addDelta(parts, delta)
    }
  }

  /** Whether every choice that began has ended. */
  get isFinished(): boolean {
    return this.#choices.size > 0 && [...this.#choices.values()].every(parts => parts.finishReason !== null)
  }

  /** The answer, without `usage`. */
  result(): Json {
    const choices = [...this.#choices].sort(([a], [b]) => a - b)
    return {
      ...this.#mould,
      object: this.#kind === 'chat' ? 'chat.completion' : 'text_completion',
      choices: choices.map(([index, parts]) =>
        this.#kind === 'chat' ? chatChoice(index, parts) : textChoice(index, parts),
      ),
    }
  }

  #partsOf(index: number): ChoiceParts {
    let parts = this.#choices.get(index)
    if (parts === undefined) {
      parts = {
        role: 'assistant',
        text: [],
        reasoning: [],
        bareReasoning: [],
        refusal: [],
        toolCalls: new Map(),
        logprobs: new Map(),
        finishReason: null,
      }
      this.#choices.set(index, parts)
    }
    return parts
  }
}

function addDelta(parts: ChoiceParts, delta: Json): void {
  const {
    role,
    content,
    reasoning_content: reasoning,
    reasoning: bareReasoning,
    refusal,
    tool_calls: toolCalls,
  } = delta
  if (typeof role === 'string') parts.role = role
  if (typeof content === 'string') parts.text.push(content)
  if (typeof reasoning === 'string') parts.reasoning.push(reasoning)
  if (typeof bareReasoning === 'string') parts.bareReasoning.push(bareReasoning)
  if (typeof refusal === 'string') parts.refusal.push(refusal)
  if (!Array.isArray(toolCalls)) return
  for (const piece of toolCalls) if (isObject(piece)) addToolCall(parts.toolCalls, piece)
}

function addToolCall(calls: Map<number, ToolCall>, piece: Json): void {
  const index = typeof piece['index'] === 'number' ? piece['index'] : 0
  const call = calls.get(index) ?? { id: null, name: '', arguments: '' }
  calls.set(index, call)
  if (typeof piece['id'] === 'string') call.id = piece['id']
  const made = piece['function']
  if (!isObject(made)) return
  if (typeof made['name'] === 'string') call.name += made['name']
  if (typeof made['arguments'] === 'string') call.arguments += made['arguments']
}

/** Chat has `content` and `refusal` lists, completions parallel lists of tokens, offsets and values: all are joined. */
function addLogprobs(known: Map<string, unknown[]>, logprobs: Json): void {
  for (const [key, value] of Object.entries(logprobs)) {
    if (!Array.isArray(value)) continue
    const list = known.get(key) ?? []
    for (const item of value) list.push(item)
    known.set(key, list)
  }
}

const joinedLogprobs = (parts: ChoiceParts): Json | null =>
  parts.logprobs.size === 0 ? null : Object.fromEntries(parts.logprobs)

function chatChoice(index: number, parts: ChoiceParts): Json {
  const logprobs = joinedLogprobs(parts)
  return {
    finish_reason: parts.finishReason,
    index,
    message: {
      role: parts.role,
      content: parts.text.join(''),
      ...(parts.reasoning.length > 0 ? { reasoning_content: parts.reasoning.join('') } : {}),
      ...(parts.bareReasoning.length > 0 ? { reasoning: parts.bareReasoning.join('') } : {}),
      ...(parts.refusal.length > 0 ? { refusal: parts.refusal.join('') } : {}),
      ...(parts.toolCalls.size > 0 ? { tool_calls: [...parts.toolCalls.values()].map(toolCall) } : {}),
    },
    ...(logprobs === null ? {} : { logprobs }),
  }
}

const toolCall = (call: ToolCall): Json => ({
  id: call.id,
  type: 'function',
  function: { name: call.name, arguments: call.arguments },
})

const textChoice = (index: number, parts: ChoiceParts): Json => ({
  text: parts.text.join(''),
  index,
  logprobs: joinedLogprobs(parts),
  finish_reason: parts.finishReason,
})
