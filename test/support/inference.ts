/** What tests of the path between caller and backend have in common: one backend, one model, and what a caller sees of it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { BACKEND_SECRET } from './behaviours.ts'
import { eventually } from './eventually.ts'
import { adminKey, buildGateway, type Gateway } from './gateway.ts'
import { connectRaw, type RawClient, type RawEvent } from './raw-client.ts'

export interface OneBackend {
  engine?: 'auto' | 'llama-server' | 'vllm' | 'ollama' | 'openai'
  /** `connect`, `firstToken`, `idle`, `total`. */
  timeouts?: Record<string, string>
  /** `commitAfter`, `heartbeat`, `clientStall` … */
  server?: Record<string, unknown>
  /** What else its model says. */
  model?: Record<string, unknown>
  /** The backend's own name for the model. */
  targetModel?: string
  env?: Record<string, string>
}

/** The weir.yaml (JSON is YAML) of one backend with one model, `tinychat`. */
export function oneBackendYaml(url: string, options: OneBackend = {}): string {
  const { engine = 'llama-server', timeouts = {}, server = {}, model = {}, targetModel } = options
  return JSON.stringify({
    server,
    // Each failure is to be seen, also where one backend fails at everything.
    routing: { maxAttempts: 1 },
    backends: { main: { url, engine, slots: 1000, timeouts, breaker: { window: 10_000, least: 10_000 } } },
    models: {
      tinychat: {
        endpoints: ['chat', 'completions', 'embeddings'],
        targets: [{ backend: 'main', ...(targetModel !== undefined && { model: targetModel }) }],
        ...model,
      },
    },
  })
}

export async function gatewayBefore(t: TestContext, { url }: { url: string }, options: OneBackend = {}) {
  return await buildGateway(t, { yaml: oneBackendYaml(url, options), ...(options.env && { env: options.env }) })
}

export const hello = [{ role: 'user' as const, content: 'What is the capital of France?' }]
export const question = { model: 'tinychat', messages: hello }
export const streamQuestion = { ...question, stream: true as const }

/** Sends one request over a connection of its own; a streamed chat unless `body` says otherwise. */
export async function ask(
  t: TestContext,
  gateway: { readonly url: string },
  body: object = streamQuestion,
  path = '/v1/chat/completions',
): Promise<RawClient> {
  const client = await connectRaw(t, gateway.url)
  sendQuestion(client, body, path)
  return client
}

export function sendQuestion(client: RawClient, body: object = streamQuestion, path = '/v1/chat/completions'): void {
  client.request('POST', path, { headers: { Authorization: `Bearer ${adminKey}` }, body })
}

export type Json = Record<string, unknown>

export interface StreamSeen {
  /** What the data lines hold, parsed, without errors and `[DONE]`. */
  readonly events: readonly Json[]
  /** All content, joined. */
  readonly text: string
  readonly error: Json | undefined
  readonly comments: readonly string[]
  readonly isDone: boolean
  /** `performance.now()` of the last byte. */
  readonly endedAtMs: number
}

/** Reads a stream to its end, and insists that it is one, and that nothing follows its last word. */
export async function readStream(client: RawClient): Promise<StreamSeen> {
  const head = await client.head()
  assert.equal(head.status, 200)
  assert.equal(head.header('content-type'), 'text/event-stream; charset=utf-8')
  return gather(await Array.fromAsync(client.events()))
}

export function gather(raw: readonly RawEvent[]): StreamSeen {
  const data = raw.flatMap(event => (event.data === undefined ? [] : [event.data]))
  const parsed = data.filter(text => text !== '[DONE]').map(text => JSON.parse(text) as Json)
  const errors = parsed.filter(event => 'error' in event)
  const last = data.at(-1)
  const isDone = last === '[DONE]'
  assert.equal(data.filter(text => text === '[DONE]').length, isDone ? 1 : 0, '[DONE] is the last or is not there')
  assert.ok(errors.length <= 1, 'one error at most')
  if (errors.length === 1) assert.equal(last, JSON.stringify(errors[0]), 'an error is the last word')
  const events = parsed.filter(event => !('error' in event))
  return {
    events,
    text: events.map(contentOf).join(''),
    error: errors[0]?.['error'] as Json | undefined,
    comments: raw.flatMap(event => (event.comment === undefined ? [] : [event.comment])),
    isDone,
    endedAtMs: performance.now(),
  }
}

function contentOf(event: Json): string {
  const choices = event['choices'] as { delta?: { content?: string | null }; text?: string }[]
  return choices.map(choice => choice.delta?.content ?? choice.text ?? '').join('')
}

/** An error as it stands in the body of an ordinary answer. */
export function errorOf(answer: { readonly text: string; header(name: string): string | undefined }): Json {
  assert.equal(answer.header('content-type'), 'application/json; charset=utf-8')
  const { error } = JSON.parse(answer.text) as { error: Json }
  assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code'])
  return error
}

/** The log line of the only inference request so far, or of the `nth` (from 1). */
export async function requestLine({ logLines }: Gateway, nth = 1): Promise<Json> {
  const line = await eventually('the line of the request', () => {
    const lines = logLines.filter(entry => entry['msg'] === 'request' && typeof entry['model'] === 'string')
    return lines[nth - 1]
  })
  return line ?? {}
}

/** Nothing of what the rude backends say may be in a reply or in the log. */
export function assertNoSecret(gateway: Gateway, ...texts: readonly string[]): void {
  const log = JSON.stringify(gateway.logLines)
  for (const text of [...texts, log]) {
    // Pieces of it too: what was cut, escaped or quoted is no less secret.
    for (const part of BACKEND_SECRET.split(' at ')) assert.ok(!text.includes(part), `a secret got out: ${text}`)
  }
}

/** One event of a chat stream, as an engine writes it. */
export const chatChunk = (text: string, finishReason: string | null = null) => ({
  choices: [{ index: 0, delta: { content: text }, finish_reason: finishReason }],
  created: 1_795_397_098,
  id: 'chatcmpl-1',
  model: 'tinychat',
  object: 'chat.completion.chunk',
})

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}
