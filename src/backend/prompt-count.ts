/** How each kind of server is asked for the tokens of a prompt, and how its answer is read. */
import { isObject, type Json } from '../domain/chat-event.ts'
import type { EndpointName } from '../schemas/config/models.ts'
import type { EngineName } from './engine.ts'

export interface CountQuestion {
  /** Below the backend's URL. */
  readonly path: string
  readonly body: string | Buffer
  /** The count in an answer, or in the beginning of one that was too large to be read; null where it is not one. */
  readonly read: (text: string) => number | null
}

/** The prompt has `known` tokens and those of the answers to the questions. */
export interface CountPlan {
  readonly known: number
  readonly questions: readonly CountQuestion[]
}

/** A list of more texts is not counted: each is a question of its own. */
const maxTexts = 64

/** What to ask about the prompt of this body, which is one for this engine; null where it cannot be asked. May throw. */
export function planCount(operation: EndpointName, engine: EngineName, body: Buffer): CountPlan | null {
  switch (engine) {
    case 'llama-server':
      if (operation === 'chat') return { known: 0, questions: [llamaChat(body)] }
      return planTexts(promptOf(operation, parse(body.toString('utf8')) ?? {}), llamaText)
    case 'vllm': {
      const fields = parse(body.toString('utf8')) ?? {}
      if (operation === 'chat') return { known: 0, questions: [vllmChat(fields)] }
      return planTexts(promptOf(operation, fields), text => vllmText(fields['model'], text))
    }
    case 'ollama':
    case 'openai':
      return null
  }
}

const promptOf = (operation: 'completions' | 'embeddings', fields: Json): unknown =>
  fields[operation === 'completions' ? 'prompt' : 'input']

/** Texts are asked for, one by one, since each gets special tokens of its own; tokens count themselves. */
function planTexts(prompt: unknown, question: (text: string) => CountQuestion): CountPlan | null {
  const items: readonly unknown[] = Array.isArray(prompt) ? prompt : [prompt]
  if (items.every(item => typeof item === 'number')) return { known: items.length, questions: [] }
  let known = 0
  const questions: CountQuestion[] = []
  for (const item of items) {
    if (typeof item === 'string') questions.push(question(item))
    else if (Array.isArray(item)) known += item.length
    else return null
    if (questions.length > maxTexts) return null
  }
  return { known, questions }
}

/** Takes the body of the call: what shapes the prompt, such as tools, is in it. */
const llamaChat = (body: Buffer): CountQuestion => ({
  path: '/v1/chat/completions/input_tokens',
  body,
  read: text => countOf(parse(text)?.['input_tokens']),
})

/** `add_special` as for a completion or an embedding; by itself it would leave them out. */
const llamaText = (text: string): CountQuestion => ({
  path: '/tokenize',
  body: JSON.stringify({ content: text, add_special: true }),
  read: answer => {
    const tokens = parse(answer)?.['tokens']
    return Array.isArray(tokens) ? tokens.length : null
  },
})

const vllmChat = ({ model, messages, tools, chat_template_kwargs }: Json): CountQuestion => ({
  path: '/tokenize',
  body: JSON.stringify({ model, messages, tools, chat_template_kwargs }),
  read: readVllm,
})

const vllmText = (model: unknown, text: string): CountQuestion => ({
  path: '/tokenize',
  body: JSON.stringify({ model, prompt: text }),
  read: readVllm,
})

/** The count comes first and the tokens, which may be many, after it: the beginning will do. */
function readVllm(text: string): number | null {
  const whole = parse(text)
  if (whole !== null) return countOf(whole['count'])
  const found = /^\s*\{\s*"count"\s*:\s*(\d{1,9})\s*,/.exec(text)
  return found === null ? null : Number(found[1])
}

const countOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null

function parse(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}
