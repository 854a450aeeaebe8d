import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { llamaServer } from './engines.ts'
import { adminKey, buildGateway, type Gateway } from './gateway.ts'
import { type ScriptedBackend, startScriptedBackend } from './scripted-backend.ts'

export interface HostileTarget {
  readonly gateway: Gateway
  readonly backend: ScriptedBackend
  /** Posts to `/v1` + path as an administrator; the answer is held to the contract. */
  post(path: string, body: object | string | Uint8Array<ArrayBuffer>, headers?: Record<string, string>): Promise<Answer>
  /** The bodies that have reached the backend since this was last asked. */
  takeForwarded(): Record<string, unknown>[]
}

export interface Answer {
  readonly status: number
  readonly text: string
  readonly error: { readonly message: string; readonly param: string | null; readonly code: string | null } | undefined
}

/** A gateway before a backend that would serve everything, for tests that want nothing of it to be served. */
export async function buildTarget(t: TestContext, yaml?: (url: string) => string): Promise<HostileTarget> {
  const backend = await startScriptedBackend(t, llamaServer({ dimensions: 4, answer: { tokens: ['ok'] } }))
  const config = yaml === undefined ? { env: { WEIR_BACKEND_URL: backend.url } } : { yaml: yaml(backend.url) }
  const gateway = await buildGateway(t, config)
  let taken = backend.exchanges.length
  return {
    gateway,
    backend,
    async post(path, body, headers = {}) {
      const response = await gateway.fetch(`${gateway.url}/v1${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      })
      const text = await response.text()
      const { status } = response
      assert.ok(status < 500, `${status} ${text}`)
      const error = status < 400 ? undefined : JSON.parse(text).error
      if (error !== undefined) checkPlain(error.message)
      return { status, text, error }
    },
    takeForwarded() {
      const fresh = backend.exchanges.slice(taken).filter(({ request }) => request.method === 'POST')
      taken = backend.exchanges.length
      return fresh.map(({ request }) => request.json as Record<string, unknown>)
    },
  }
}

/** A message is for the caller: one line without paths, stacks or another language's words for things. */
export function checkPlain(message: string): void {
  assert.match(message, /\S/)
  assert.ok(message.length < 1000, `${message.length} characters`)
  assert.doesNotMatch(message, /\.[jt]s\b|node_modules|node:|\bat .+:\d+:\d+|\/(src|plugins|routes|tmp|home|work)\/|\n/)
  assert.doesNotMatch(message, /TypeError|SyntaxError|RangeError|undefined|\[object|FST_|ajv|must NOT|instancePath/)
}

/** What one request may take, and hold the loop, in milliseconds. */
export const boundMs = 50
/** Tolerance: caller, gateway and backend share this process's one thread; what the caller's side takes, and that of a MiB. */
const callerMs = 20
const callerMsPerMib = 4
/** Tolerance: other programs take the caches, so a request keeps to the bounds if it does so in one of so many tries. */
const tries = 8

/** Asks, with so many bytes, until the bounds are kept, and returns the last answer; fails with the best of all tries. */
export async function withinBounds(what: string, bytes: number, ask: () => Promise<Answer>): Promise<Answer> {
  const mayTakeMs = boundMs + callerMs + (callerMsPerMib * bytes) / (1024 * 1024)
  let [bestTook, bestHeld] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let attempt = 0; attempt < tries; attempt++) {
    const { answer, tookMs, heldMs } = await measure(ask)
    bestTook = Math.min(bestTook, tookMs)
    bestHeld = Math.min(bestHeld, heldMs)
    if (bestTook <= mayTakeMs && bestHeld <= boundMs) return answer
  }
  return assert.fail(`${what}: took ${bestTook.toFixed(1)} ms, held the loop ${bestHeld.toFixed(1)} ms`)
}

/**
 * By the clock of the thread and not of the wall, which `monitorEventLoopDelay` reads: there each of the machine's other
 * programs would count as ours.
 */
async function measure(ask: () => Promise<Answer>) {
  const start = threadMs()
  let heldMs = 0
  let last = start
  const look = () => {
    const now = threadMs()
    heldMs = Math.max(heldMs, now - last)
    last = now
  }
  const turn = () => {
    look()
    next = setImmediate(turn)
  }
  let next = setImmediate(turn)
  const answer = await ask()
  clearImmediate(next)
  look()
  return { answer, tookMs: threadMs() - start, heldMs }
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
