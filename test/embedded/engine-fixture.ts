import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  type EngineLog,
  type EngineOptions,
  type EngineProcess,
  startEngine,
} from '../../src/embedded/engine-process.ts'

const ignore = () => undefined

export const silentLog: EngineLog = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** A log that tells when the engine said what one waits for. */
export function listenToLog(level: 'info' | 'warn' | 'error', part: string): { log: EngineLog; heard: Promise<void> } {
  const { promise: heard, resolve } = Promise.withResolvers<void>()
  const listen = (_details: object, message: string) => {
    if (message.includes(part)) resolve()
  }
  return { log: { ...silentLog, [level]: listen }, heard }
}

export function start(options: Partial<EngineOptions> = {}): EngineProcess {
  return startEngine({ slots: 4, contextLength: 512, log: silentLog, ...options })
}

export interface Answer {
  readonly status: number
  /** Whatever came over the wire; the assertions give it shape. */
  readonly body: ReturnType<typeof JSON.parse>
}

export async function post(url: string, path: string, body: object): Promise<Answer> {
  const response = await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })
  return { status: response.status, body: await response.json() }
}

export async function get(url: string, path: string): Promise<Answer> {
  const response = await fetch(url + path)
  return { status: response.status, body: await response.json() }
}

/** The events of a stream that ended as it should. */
export async function stream(url: string, path: string, body: object): Promise<Answer['body'][]> {
  const response = await fetch(url + path, { method: 'POST', body: JSON.stringify({ ...body, stream: true }) })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  const frames = (await response.text()).split('\n\n')
  assert.deepEqual(frames.splice(-2), ['data: [DONE]', ''])
  return frames.map(frame => JSON.parse(frame.replace(/^data: /, '')))
}

/** A stream under way: its first bytes have come, and `leave` closes the connection. */
export async function openStream(url: string, body: object): Promise<{ leave(): void }> {
  const abort = new AbortController()
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    body: JSON.stringify({ ...body, stream: true }),
    signal: abort.signal,
  })
  await response.body?.getReader().read()
  return { leave: () => abort.abort() }
}

export async function countBusySlots(url: string): Promise<number> {
  const { body } = await get(url, '/slots')
  return body.filter((slot: { is_processing: boolean }) => slot.is_processing).length
}

/** Asks again and again, without a pause, until the condition holds; the test's own timeout is the limit. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await once(AbortSignal.timeout(2), 'abort')
}

/** Runs until the context is full: greedy, from a prompt that the model never finds an end for. */
export const longCompletion = { prompt: 'a b c', temperature: 0, max_tokens: 2000 }

export const capitalOfFrance = { messages: [{ role: 'user', content: 'What is the capital of France?' }] }

export const weatherInParis = {
  messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
  temperature: 0,
  tools: [
    {
      type: 'function',
      function: {
        name: 'get_weather',
        description: 'Get the weather',
        parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      },
    },
  ],
}
