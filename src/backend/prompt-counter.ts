import { Pool } from 'undici'
import type { Call, Route } from './call.ts'
import { type CountQuestion, planCount } from './prompt-count.ts'

/** Somebody waits for the count with a request that is to be refused without it. */
const countTimeoutMs = 500
/** An answer that is larger is read no further. */
const maxAnswerBytes = 64 * 1024
/** Counting takes the engine's time without an answer for it: a megabyte can take seconds. */
const maxBodyBytes = 256 * 1024
const maxAtOnce = 4
/** Idle connections pin llama-server's HTTP threads; every engine keeps them for longer. */
const idleConnectionMs = 1000

export interface CounterOptions {
  readonly origin: string
  /** What comes before every path. */
  readonly pathPrefix: string
  readonly headers: Record<string, string>
}

/**
 * Asks one backend how many tokens a prompt has, on connections of its own, so that no stream waits for it. For one purpose:
 * where an estimate by size would refuse a request, to ask before it is refused.
 */
export class PromptCounter {
  readonly #pool: Pool
  readonly #pathPrefix: string
  readonly #headers: Record<string, string>
  #running = 0

  constructor({ origin, pathPrefix, headers }: CounterOptions) {
    this.#pathPrefix = pathPrefix
    this.#headers = headers
    this.#pool = new Pool(origin, {
      connections: maxAtOnce,
      allowH2: false,
      keepAliveTimeout: idleConnectionMs,
      keepAliveMaxTimeout: idleConnectionMs,
      connect: { timeout: countTimeoutMs },
    })
  }

  /**
   * The tokens of the call's prompt, each of several prompts once. Null where the engine cannot count, is too busy, late or
   * wrong, or where `signal` aborts; never rejects.
   */
  async count(call: Call, { engine, target }: Pick<Route, 'engine' | 'target'>, signal: AbortSignal) {
    if (this.#running >= maxAtOnce || signal.aborted) return null
    this.#running++
    try {
      const body = call.buildBody({ model: call.model, target, engine, stream: call.stream })
      if (body.length > maxBodyBytes) return null
      const plan = planCount(call.operation, engine.name, body)
      if (plan === null) return null
      let tokens = plan.known
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(countTimeoutMs)])
      for (const question of plan.questions) {
        const count = await this.#ask(question, deadline)
        if (count === null) return null
        tokens += count
      }
      return tokens
    } catch {
      // Whatever went wrong: without a count the estimate stands.
      return null
    } finally {
      this.#running--
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  async #ask({ path, body, read }: CountQuestion, signal: AbortSignal): Promise<number | null> {
    const answer = await this.#pool.request({
      method: 'POST',
      path: this.#pathPrefix + path,
      headers: this.#headers,
      body,
      signal,
    })
    const text = await readStart(answer.body)
    return answer.statusCode === 200 ? read(text) : null
  }
}

/** The answer, or so much of it that its bound is passed; then the connection is closed. */
async function readStart(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > maxAnswerBytes) break
  }
  return Buffer.concat(chunks).toString('utf8')
}
