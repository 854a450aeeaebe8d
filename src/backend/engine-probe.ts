import type { Client } from 'undici'
import type { Discovered } from '../domain/catalog.ts'
import { isObject, type Json } from '../domain/chat-event.ts'
import type { EngineName } from './engine.ts'
import { Fault } from './fault.ts'

/** A probe's answer is small, or it is not one. */
const maxProbeBytes = 4 * 1024 * 1024

interface ProbeAnswer {
  readonly status: number
  readonly server: string
  readonly text: string
  readonly json: Json | null
}

/** Asks a backend questions about itself, outside the path of any request. */
export class EngineProbe {
  readonly #client: Client
  readonly #pathPrefix: string
  readonly #headers: Record<string, string>
  readonly #timeoutMs: number

  constructor(client: Client, pathPrefix: string, headers: Record<string, string>, timeoutMs: number) {
    this.#client = client
    this.#pathPrefix = pathPrefix
    this.#headers = headers
    this.#timeoutMs = timeoutMs
  }

  /** What kind of server this is. Throws a Fault (`connect`, `timeout`, `busy` while it loads). */
  async detect(): Promise<EngineName> {
    const props = await this.#get('/props')
    if (props.server.toLowerCase().includes('llama.cpp') || typeof props.json?.['total_slots'] === 'number') {
      if (props.status === 503) throw new Fault('busy', 'llama-server is loading its model', { status: 503 })
      return 'llama-server'
    }
    refuseStandIn(props.status)
    const root = await this.#get('/')
    if (root.text.startsWith('Ollama is running')) return 'ollama'
    const version = await this.#get('/version')
    if (version.status === 200 && typeof version.json?.['version'] === 'string') return 'vllm'
    return 'openai'
  }

  /** The models it says it has. Throws a Fault. */
  async models(): Promise<Discovered['models']> {
    const answer = await this.#get('/v1/models')
    if (answer.status === 401 || answer.status === 403) {
      throw new Fault('refused', `the backend answered ${answer.status} to /v1/models: check its apiKey`, {
        status: answer.status,
      })
    }
    if (answer.status === 503) throw new Fault('busy', 'the backend is loading', { status: 503 })
    const { data } = answer.json ?? {}
    if (answer.status !== 200 || !Array.isArray(data)) {
      throw new Fault('rubbish', `the backend answered ${answer.status} to /v1/models, without a list of models`)
    }
    return data.filter(isObject).flatMap(model => {
      const { id, meta, max_model_len: maxModelLength } = model
      if (typeof id !== 'string' || id === '' || id.length > 256) return []
      const context = isObject(meta) ? meta['n_ctx'] : maxModelLength
      return [{ id, contextLength: typeof context === 'number' && context > 0 ? context : null }]
    })
  }

  /** How many requests llama-server runs at once; null where it does not say. */
  async slots(): Promise<number | null> {
    const { json } = await this.#get('/props')
    const slots = json?.['total_slots']
    return typeof slots === 'number' && slots > 0 ? slots : null
  }

  async #get(path: string): Promise<ProbeAnswer> {
    const signal = AbortSignal.timeout(this.#timeoutMs)
    try {
      const answer = await this.#client.request({
        method: 'GET',
        path: this.#pathPrefix + path,
        headers: this.#headers,
        signal,
      })
      const text = await readText(answer.body)
      return {
        status: answer.statusCode,
        server: String(answer.headers['server'] ?? ''),
        text,
        json: parseObject(text),
      }
    } catch (error) {
      if (error instanceof Fault) throw error
      if (signal.aborted)
        throw new Fault('timeout', `GET ${path} took over ${this.#timeoutMs} ms`, { phase: 'connect', cause: error })
      throw new Fault('connect', `GET ${path} failed`, { cause: error })
    }
  }
}

/** A proxy answers for a server that is not there (yet): what that server is cannot be told from it. */
function refuseStandIn(status: number): void {
  if (status === 503) throw new Fault('busy', 'the backend answered 503 to /props', { status })
  if (status === 502 || status === 504)
    throw new Fault('connect', `the backend answered ${status} to /props`, { status })
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > maxProbeBytes) throw new Fault('rubbish', 'the answer to a probe is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseObject(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}
