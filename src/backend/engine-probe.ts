import type { Client } from 'undici'
import type { Discovered } from '../domain/catalog.ts'
import { isObject, type Json } from '../domain/chat-event.ts'
import type { EngineName } from './engine.ts'
import { Fault } from './fault.ts'

/** A probe's answer is small, or it is not one. */
const maxProbeBytes = 4 * 1024 * 1024
/** When one that loads, or is too busy for a probe, should be asked again. */
const loadingRetryMs = 1000

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

  /**
   * What kind of server this is, and its slots where it has told them on the way. What it is said to be stays, so nothing is concluded from an error, nor from silence:
   * throws a Fault (`connect`, `timeout`, `busy` while it loads, `refused`, `rubbish`) where it has to be asked again.
   */
  async detect(): Promise<{ readonly engine: EngineName; readonly slots: number | null }> {
    const props = await this.#get('/props')
    const slots = slotsOf(props)
    if (props.server.toLowerCase().includes('llama.cpp') || slots !== null) {
      if (props.status === 503)
        throw new Fault('busy', 'llama-server is loading its model', { status: 503, retryAfterMs: loadingRetryMs })
      return { engine: 'llama-server', slots }
    }
    refuseStandIn('/props', props.status)
    return { engine: await this.#detectOther(), slots: null }
  }

  async #detectOther(): Promise<EngineName> {
    const root = await this.#get('/')
    if (root.text.startsWith('Ollama is running')) return 'ollama'
    refuseStandIn('/', root.status)
    const version = await this.#get('/version')
    if (version.status === 200 && typeof version.json?.['version'] === 'string') return 'vllm'
    refuseStandIn('/version', version.status)
    const list = await this.#getModels()
    // Not every server has OpenAI's list here; a page says nothing.
    if (list.status >= 200 && list.status < 300 && /^\s*[[{]/.test(list.text)) return 'openai'
    throw new Fault('rubbish', `the backend answered ${list.status} to /v1/models: what it is has to be configured`, {
      status: list.status,
    })
  }

  /** The models it says it has. Throws a Fault. */
  async models(): Promise<Discovered['models']> {
    const answer = await this.#getModels()
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

  /** Throws a Fault where nobody answers or only a stand-in does; any other answer will do, a refusal too. */
  async checkHealth(path: string): Promise<void> {
    refuseStandIn(path, (await this.#get(path)).status)
  }

  /** How many requests llama-server runs at once; null where it does not say. Throws a Fault. */
  async slots(): Promise<number | null> {
    const answer = await this.#get('/props')
    refuseStandIn('/props', answer.status)
    return slotsOf(answer)
  }

  /** Its list of models. Throws a Fault where it is not there or refuses us. */
  async #getModels(): Promise<ProbeAnswer> {
    const answer = await this.#get('/v1/models')
    if (answer.status === 401 || answer.status === 403) {
      throw new Fault('refused', `the backend answered ${answer.status} to /v1/models: check its apiKey`, {
        status: answer.status,
      })
    }
    refuseStandIn('/v1/models', answer.status)
    return answer
  }

  async #get(path: string): Promise<ProbeAnswer> {
    const signal = AbortSignal.timeout(this.#timeoutMs)
    try {
      const answer = await this.#client.request({
        method: 'GET',
        path: this.#pathPrefix + path,
        headers: this.#headers,
        // The next one is seconds away, and llama-server keeps a thread for each idle connection.
        reset: true,
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
        throw new Fault('timeout', `GET ${path} took over ${this.#timeoutMs} ms`, { phase: 'probe', cause: error })
      throw new Fault('connect', `GET ${path} failed`, { cause: error })
    }
  }
}

/**
 * A proxy answers for a server that is not there (yet): what that server is cannot be told from it. Only to /v1/models is
 * 401 an answer: there are servers that say it to every path they do not know. 501 is such an answer too.
 */
function refuseStandIn(path: string, status: number): void {
  const what = `the backend answered ${status} to ${path}`
  if (status === 503 || status === 429) throw new Fault('busy', what, { status, retryAfterMs: loadingRetryMs })
  if (status >= 500 && status !== 501) throw new Fault('connect', what, { status })
}

function slotsOf({ json }: ProbeAnswer): number | null {
  const slots = json?.['total_slots']
  return typeof slots === 'number' && slots > 0 ? slots : null
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
