import { randomUUID } from 'node:crypto'
import {
  type Answer,
  type Counts,
  contentEvent,
  finishEvent,
  roleEvent,
  timingsOf,
  usageEvent,
  usageOf,
  wholeAnswer,
} from './chat-events.ts'
import type { Behaviour, Exchange, Header } from './exchange.ts'

/**
 * How a stream ends before its time: `fin` and `reset` of the socket, `stall` (the socket stays), `clean` (closing chunk, but
 * no finish_reason and no [DONE]), `no-done` (all but [DONE]), `error-event` (llama-server's, when the context is full).
 */
export type Break = 'fin' | 'reset' | 'stall' | 'clean' | 'no-done' | 'error-event'

export interface CompletionOptions {
  /** The tokens' texts, or how many. */
  tokens?: readonly string[] | number
  /** Between two tokens. */
  everyMs?: number
  /** Before the headers: the prompt waits for a slot. */
  headersAfterMs?: number
  /** Between the headers and the first token: the prompt is being read. */
  firstTokenAfterMs?: number
  promptTokens?: number
  cachedTokens?: number
  finishReason?: string
  model?: string
  engine?: Answer['engine']
  /** Tokens before `breaksBy`; without it the answer is whole. */
  breaksAfter?: number
  breaksBy?: Break
  /** What the usage says in place of the true counts. */
  reports?: Partial<Counts>
  /** The usage in every event, asked for or not. */
  usageInEachEvent?: boolean
}

const SENTENCE = ['The', ' capital', ' of', ' France', ' is', ' Paris', '.']

const STREAM_HEADERS: Record<Answer['engine'], readonly Header[]> = {
  'llama-server': [
    ['Server', 'llama.cpp'],
    ['Access-Control-Allow-Origin', ''],
    ['X-Accel-Buffering', 'no'],
    ['Content-Type', 'text/event-stream'],
    ['Transfer-Encoding', 'chunked'],
    ['Keep-Alive', 'timeout=5, max=100'],
  ],
  vllm: [
    ['server', 'uvicorn'],
    ['content-type', 'text/event-stream; charset=utf-8'],
    ['transfer-encoding', 'chunked'],
  ],
  ollama: [
    ['Content-Type', 'text/event-stream'],
    ['Transfer-Encoding', 'chunked'],
  ],
  openai: [
    ['Content-Type', 'text/event-stream; charset=utf-8'],
    ['Transfer-Encoding', 'chunked'],
  ],
}

export const JSON_HEADERS: Record<Answer['engine'], readonly Header[]> = {
  'llama-server': [
    ['Server', 'llama.cpp'],
    ['Access-Control-Allow-Origin', ''],
    ['Content-Type', 'application/json; charset=utf-8'],
  ],
  vllm: [
    ['server', 'uvicorn'],
    ['content-type', 'application/json'],
  ],
  ollama: [['Content-Type', 'application/json']],
  openai: [['Content-Type', 'application/json']],
}

/** A chat completion: a stream when the request asks for one, else one JSON answer. */
export function chat(options: CompletionOptions = {}): Behaviour {
  return exchange => complete(exchange, 'chat', options)
}

/** A text completion (`/v1/completions`), likewise. */
export function textCompletion(options: CompletionOptions = {}): Behaviour {
  return exchange => complete(exchange, 'text', options)
}

interface Plan {
  answer: Answer
  words: readonly string[]
  options: CompletionOptions
  asks: { usage: boolean; timings: boolean; continuousUsage: boolean }
  counts: (outputTokens: number) => Counts
}

async function complete(exchange: Exchange, kind: Answer['kind'], options: CompletionOptions): Promise<void> {
  const request = asObject(exchange.request.json)
  const plan = makePlan(kind, options, request)
  if (!(await exchange.wait(options.headersAfterMs ?? 0))) return
  if (request['stream'] === true) await sendStream(exchange, plan)
  else await sendWhole(exchange, plan)
}

function makePlan(kind: Answer['kind'], options: CompletionOptions, request: Record<string, unknown>): Plan {
  const { tokens = SENTENCE, promptTokens = 16, cachedTokens = 0, engine = 'llama-server', breaksAfter } = options
  const all = typeof tokens === 'number' ? Array.from({ length: tokens }, (_, n) => ` word${n}`) : tokens
  const askedMax = request['max_tokens'] ?? request['max_completion_tokens']
  const allowed = typeof askedMax === 'number' && askedMax >= 0 ? Math.max(1, askedMax) : all.length
  const words = all.slice(0, breaksAfter ?? allowed)
  const streamOptions = asObject(request['stream_options'])
  return {
    answer: {
      engine,
      kind,
      id: `chatcmpl-${randomUUID().replaceAll('-', '')}`,
      model: options.model ?? 'tinychat',
      created: 1_795_397_098,
      finishReason: options.finishReason ?? (allowed < all.length ? 'length' : 'stop'),
    },
    words,
    options,
    asks: {
      usage: streamOptions['include_usage'] === true,
      timings: engine === 'llama-server' && request['timings_per_token'] === true,
      continuousUsage:
        options.usageInEachEvent === true || (engine === 'vllm' && streamOptions['continuous_usage_stats'] === true),
    },
    counts: outputTokens => ({ promptTokens, cachedTokens, outputTokens, ...options.reports }),
  }
}

async function sendStream(exchange: Exchange, plan: Plan): Promise<void> {
  const { answer, words, options, asks } = plan
  if (!(await exchange.head(200, STREAM_HEADERS[answer.engine]))) return
  if (!(await exchange.wait(options.firstTokenAfterMs ?? 0))) return
  // llama-server sends the role with the first token, the others before it.
  const hasRole = answer.kind === 'chat' && answer.engine !== 'ollama'
  const isRoleAlone = hasRole && answer.engine !== 'llama-server'
  if (isRoleAlone) await exchange.control(roleEvent(answer))
  for (const [index, word] of words.entries()) {
    if (index > 0 && options.everyMs !== undefined && !(await exchange.wait(options.everyMs))) return
    const counts = plan.counts(index + 1)
    const event = {
      ...contentEvent(answer, word),
      ...(asks.continuousUsage && { usage: usageOf(answer, counts) }),
      ...(asks.timings && { timings: timingsOf(counts) }),
    }
    const withRole = index === 0 && hasRole && !isRoleAlone
    const isOpen = await exchange.events(withRole ? [roleEvent(answer), event] : [event], 1)
    if (!isOpen) return
  }
  if (options.breaksAfter !== undefined && options.breaksBy !== 'no-done') {
    await breakOff(exchange, options.breaksBy ?? 'fin')
    return
  }
  await exchange.events(closingEvents(plan), 0)
  if (options.breaksBy !== 'no-done') await exchange.done()
  // llama-server closes after every stream although its headers say keep-alive.
  await exchange.end({ close: answer.engine === 'llama-server' })
}

function closingEvents({ answer, asks, words, counts }: Plan): object[] {
  const total = counts(words.length)
  const timings = answer.engine === 'llama-server' ? { timings: timingsOf(total) } : {}
  const finish = finishEvent(answer)
  if (answer.kind === 'text' && answer.engine === 'llama-server') {
    return [{ ...finish, usage: usageOf(answer, total), ...timings }]
  }
  return asks.usage ? [finish, { ...usageEvent(answer, total), ...timings }] : [{ ...finish, ...timings }]
}

async function breakOff(exchange: Exchange, how: Exclude<Break, 'no-done'>): Promise<void> {
  switch (how) {
    case 'fin':
      exchange.hangUp()
      return
    case 'reset':
      exchange.reset()
      return
    case 'stall':
      await exchange.stall()
      return
    case 'error-event':
      await exchange.control({ error: { code: 500, message: 'Context size has been exceeded.', type: 'server_error' } })
      await exchange.end({ close: true })
      return
    case 'clean':
      await exchange.end({ close: true })
      return
  }
}

async function sendWhole(exchange: Exchange, plan: Plan): Promise<void> {
  const { answer, words, options } = plan
  const generatingMs = (options.firstTokenAfterMs ?? 0) + (options.everyMs ?? 0) * words.length
  if (!(await exchange.wait(generatingMs))) return
  if (options.breaksAfter !== undefined) {
    await breakOff(exchange, options.breaksBy === 'reset' || options.breaksBy === 'stall' ? options.breaksBy : 'fin')
    return
  }
  const counts = plan.counts(words.length)
  const timings = answer.engine === 'llama-server' ? { timings: timingsOf(counts) } : {}
  const body = JSON.stringify({ ...wholeAnswer(answer, words.join(''), counts), ...timings })
  await exchange.answer(200, JSON_HEADERS[answer.engine], body)
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
