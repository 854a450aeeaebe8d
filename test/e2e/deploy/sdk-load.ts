/** What callers do all day, by the official SDK and without its retries: streams, whole answers, embeddings. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI, { APIError } from 'openai'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { hello } from '../../support/inference.ts'

/** What the backend of the test answers. */
export const tokens = Array.from({ length: 12 }, (_, index) => ` t${index}`)
const text = tokens.join('')

export type Kind = 'stream' | 'whole' | 'embedding'

export interface SdkLoad {
  /** Requests that were answered as they should be. */
  readonly done: Readonly<Record<Kind, number>>
  /** What went wrong, a line each. */
  readonly failures: readonly string[]
  /** Sends no more, and waits for what runs. */
  stop(): Promise<void>
}

export const sdkFor = (url: string, apiKey: string): OpenAI =>
  new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0, fetch: boundedFetch })

const ask: Readonly<Record<Kind, (openai: OpenAI) => Promise<void>>> = {
  async stream(openai) {
    const stream = await openai.chat.completions.create({ model: 'tinychat', messages: hello, stream: true })
    let [seen, finish] = ['', '']
    for await (const { choices } of stream) {
      seen += choices[0]?.delta.content ?? ''
      finish ||= choices[0]?.finish_reason ?? ''
    }
    // One that is cut without a word is a success to the SDK.
    assert.deepEqual([seen, finish], [text, 'stop'], 'a stream that was cut')
  },
  async whole(openai) {
    const { choices } = await openai.chat.completions.create({ model: 'tinychat', messages: hello })
    assert.equal(choices[0]?.message.content, text)
  },
  async embedding(openai) {
    const { data } = await openai.embeddings.create({ model: 'tinychat', input: 'hi' })
    assert.deepEqual(data[0]?.embedding, [1, 1, 1, 1])
  },
}

/** So many callers of each kind, each of which asks again once it has its answer. */
export function startSdkLoad(openai: OpenAI, callers: Readonly<Record<Kind, number>>): SdkLoad {
  const done = { stream: 0, whole: 0, embedding: 0 }
  const failures: string[] = []
  let isRunning = true
  const loop = async (kind: Kind) => {
    while (isRunning) {
      try {
        await ask[kind](openai)
        done[kind] += 1
      } catch (error) {
        failures.push(`${new Date().toISOString()} ${kind}: ${describeFailure(error)}`)
      }
      await sleep(20)
    }
  }
  const kinds = Object.keys(ask) as Kind[]
  const loops = kinds.flatMap(kind => Array.from({ length: callers[kind] }, () => loop(kind)))
  return {
    done,
    failures,
    async stop() {
      isRunning = false
      await Promise.all(loops)
    },
  }
}

export interface Counting {
  /** By a limit. */
  readonly admitted: number
  readonly denied: number
  readonly failures: readonly string[]
  stop(): Promise<void>
}

/** Asks for one embedding after the other, until stopped. */
export function startCounting(openai: OpenAI, pauseMs: number): Counting {
  let [admitted, denied, isRunning] = [0, 0, true]
  const failures: string[] = []
  const loop = async () => {
    while (isRunning) {
      try {
        await ask.embedding(openai)
        admitted += 1
      } catch (error) {
        if (error instanceof APIError && error.status === 429) denied += 1
        else failures.push(describeFailure(error))
      }
      await sleep(pauseMs)
    }
  }
  const running = loop()
  return {
    get admitted() {
      return admitted
    },
    get denied() {
      return denied
    },
    failures,
    async stop() {
      isRunning = false
      await running
    },
  }
}

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  return `${error.message}${cause} ${error instanceof APIError ? JSON.stringify(error.error) : ''}`
}
