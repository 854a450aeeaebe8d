import { readRecording } from './behaviours.ts'
import { type CompletionOptions, chat, JSON_HEADERS, textCompletion } from './completion.ts'
import type { Behaviour, Exchange, Header } from './exchange.ts'

export interface EngineOptions {
  /** What it calls its model. */
  model?: string
  /** Other answers to the calls that generate; everything else stays healthy. */
  chat?: Behaviour
  completions?: Behaviour
  embeddings?: Behaviour
  /** What the built-in answers are like. */
  answer?: CompletionOptions
  /** With it every path but /health wants `Authorization: Bearer`. */
  apiKey?: string
  /** Parallel requests it can take (llama-server's `total_slots`). */
  slots?: number
  /** Values per embedding; 0: it cannot embed. */
  dimensions?: number
}

type Routes = Record<string, Behaviour>

/** A healthy llama-server: 4 slots, no embeddings unless `dimensions` is given. */
export function llamaServer(options: EngineOptions = {}): Behaviour {
  const { model = 'tinychat', slots = 4, dimensions = 0 } = options
  const slot = { n_ctx: 1024, speculative: false, is_processing: false }
  return route('llama-server', options, {
    ...generation('llama-server', { ...options, model, dimensions }),
    'GET /health': json(200, { status: 'ok' }),
    'GET /v1/models': json(200, { ...recordedModels(model), object: 'list' }),
    'GET /props': json(200, { ...recordedProps(), model_alias: model, total_slots: slots }),
    'GET /slots': json(
      200,
      Array.from({ length: slots }, (_, id) => ({ id, ...slot })),
    ),
    'POST /v1/chat/completions/input_tokens': json(200, { input_tokens: 16, object: 'response.input_tokens' }),
    'POST /tokenize': json(200, { tokens: [1, 2, 3, 4] }),
  })
}

/** A healthy vLLM. */
export function vllmServer(options: EngineOptions = {}): Behaviour {
  const { model = 'tinychat', dimensions = 0 } = options
  const entry = { id: model, object: 'model', created: 1_795_397_098, owned_by: 'vllm', root: model, parent: null }
  return route('vllm', options, {
    ...generation('vllm', { ...options, model, dimensions }),
    'GET /health': exchange => exchange.answer(200, [['server', 'uvicorn']], ''),
    'GET /version': json(200, { version: '0.11.0' }, 'vllm'),
    'GET /v1/models': json(200, { object: 'list', data: [{ ...entry, max_model_len: 4096 }] }, 'vllm'),
    'POST /tokenize': json(200, { count: 4, max_model_len: 4096, tokens: [1, 2, 3, 4] }, 'vllm'),
  })
}

/** A healthy Ollama. */
export function ollamaServer(options: EngineOptions = {}): Behaviour {
  const { model = 'tinychat:latest', dimensions = 8 } = options
  const entry = { id: model, object: 'model', created: 1_795_397_098, owned_by: 'library' }
  return route('ollama', options, {
    ...generation('ollama', { ...options, model, dimensions }),
    'GET /': exchange => exchange.answer(200, [['Content-Type', 'text/plain; charset=utf-8']], 'Ollama is running'),
    'GET /api/version': json(200, { version: '0.13.0' }, 'ollama'),
    'GET /v1/models': json(200, { object: 'list', data: [entry] }, 'ollama'),
  })
}

/** Anything else that speaks OpenAI's HTTP: models and the calls that generate, no probe. */
export function openaiServer(options: EngineOptions = {}): Behaviour {
  const { model = 'tinychat', dimensions = 8 } = options
  const entry = { id: model, object: 'model', created: 1_795_397_098, owned_by: 'someone' }
  return route('openai', options, {
    ...generation('openai', { ...options, model, dimensions }),
    'GET /v1/models': json(200, { object: 'list', data: [entry] }, 'openai'),
  })
}

type Engine = NonNullable<CompletionOptions['engine']>

function generation(engine: Engine, options: EngineOptions & { model: string; dimensions: number }): Routes {
  const answer = { engine, model: options.model, ...options.answer }
  const noEmbeddings = json(501, {
    error: {
      code: 501,
      message: 'This server does not support embeddings. Start it with `--embeddings`',
      type: 'not_supported_error',
    },
  })
  return {
    'POST /v1/chat/completions': options.chat ?? chat(answer),
    'POST /v1/completions': options.completions ?? textCompletion(answer),
    'POST /v1/embeddings':
      options.embeddings ?? (options.dimensions > 0 ? embed(engine, options.dimensions) : noEmbeddings),
  }
}

const UNAUTHORIZED: Record<Engine, unknown> = {
  'llama-server': { error: { message: 'Invalid API Key', type: 'authentication_error', code: 401 } },
  vllm: { error: 'Unauthorized' },
  ollama: { error: 'unauthorized' },
  openai: {
    error: {
      message: 'Incorrect API key provided.',
      type: 'invalid_request_error',
      param: null,
      code: 'invalid_api_key',
    },
  },
}

const NOT_FOUND: Record<Engine, unknown> = {
  'llama-server': { error: { message: 'File Not Found', type: 'not_found_error', code: 404 } },
  vllm: { detail: 'Not Found' },
  ollama: '404 page not found',
  openai: { error: { message: 'Invalid URL', type: 'invalid_request_error', param: null, code: null } },
}

function route(engine: Engine, { apiKey }: EngineOptions, routes: Routes): Behaviour {
  return exchange => {
    const { method, path, header } = exchange.request
    const isPublic = path === '/health'
    if (apiKey !== undefined && !isPublic && header('authorization') !== `Bearer ${apiKey}`) {
      return json(401, UNAUTHORIZED[engine], engine)(exchange)
    }
    const behaviour = routes[`${method} ${path}`] ?? json(404, NOT_FOUND[engine], engine)
    const asksToClose = engine === 'llama-server' && header('connection')?.toLowerCase() === 'close'
    return behaviour(asksToClose ? sayingClose(exchange) : exchange)
  }
}

/** What llama-server's HTTP library does when it is asked to: it says `Connection: close` instead of `Keep-Alive`. */
function sayingClose(exchange: Exchange): Exchange {
  const closing = (headers: readonly Header[]): Header[] => [
    ...headers.filter(([name]) => !/^(connection|keep-alive)$/i.test(name)),
    ['Connection', 'close'],
  ]
  const { head, answer, stream } = exchange
  const said: Pick<Exchange, 'head' | 'answer' | 'json' | 'stream'> = {
    head: (status, headers) => head(status, closing(headers)),
    answer: (status, headers, body) => answer(status, closing(headers), body),
    json: (status, body) => said.answer(status, [['Content-Type', 'application/json']], JSON.stringify(body)),
    stream: (headers = [['Content-Type', 'text/event-stream']]) => stream(closing(headers)),
  }
  // The same object, not one before it: tests know an exchange again by itself.
  return Object.assign(exchange, said)
}

/** A JSON answer with the engine's headers; llama-server closes after an error. */
function json(status: number, body: unknown, engine: Engine = 'llama-server'): Behaviour {
  const bytes = JSON.stringify(body)
  const last = status < 400 ? (['Keep-Alive', 'timeout=5, max=100'] as const) : (['Connection', 'close'] as const)
  const headers = engine === 'llama-server' ? [...JSON_HEADERS[engine], last] : JSON_HEADERS[engine]
  return exchange => exchange.answer(status, headers, bytes)
}

/** The n-th input's vector is n + 1 in every place: a test sees at once which vector belongs to which input. */
function embed(engine: Engine, dimensions: number): Behaviour {
  return (exchange: Exchange) => {
    const request: { input?: unknown; model?: unknown; encoding_format?: unknown } = Object(exchange.request.json)
    const isOne = !Array.isArray(request.input) || request.input.every(item => typeof item === 'number')
    const inputs = isOne ? [request.input] : (request.input as unknown[])
    const data = inputs.map((_, index) => {
      const vector = new Float32Array(dimensions).fill(index + 1)
      const isBase64 = request.encoding_format === 'base64'
      return {
        embedding: isBase64 ? Buffer.from(vector.buffer).toString('base64') : [...vector],
        index,
        object: 'embedding',
      }
    })
    const usage = { prompt_tokens: 2 * inputs.length, total_tokens: 2 * inputs.length }
    return json(200, { model: request.model, object: 'list', usage, data }, engine)(exchange)
  }
}

function recordedProps(): object {
  return readRecordedBody('006-props')
}

function recordedModels(model: string): object {
  const text = JSON.stringify(readRecordedBody('003-models'))
  return JSON.parse(text.replaceAll('"tinychat"', JSON.stringify(model)))
}

function readRecordedBody(name: string): object {
  const bytes = readRecording(name)
  return JSON.parse(bytes.subarray(bytes.indexOf('\r\n\r\n')).toString('utf8'))
}
