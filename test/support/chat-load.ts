/** Callers who ask one thing after the other, by the official SDK and as often as they get an answer. */
import type OpenAI from 'openai'

export interface Asked {
  readonly streamed: boolean
  /** Where it went, as far as the caller was told. */
  backend: string | null
  /** Whether the caller had some of the answer. */
  hasContent: boolean
  error: unknown
  isOver: boolean
  finishReason: string | null
}

export interface ChatLoad {
  /** All so far, in the order in which they were sent. */
  readonly asked: readonly Asked[]
  /** Asks no more, and waits for what is under way. */
  stop(): Promise<void>
}

export interface ChatLoadOptions {
  readonly openai: OpenAI
  /** Every other one wants streams. */
  readonly callers: number
  readonly body: OpenAI.ChatCompletionCreateParamsNonStreaming
  /** A part of a streamed answer has come. */
  readonly onContent: (asked: Asked) => void
}

export function startChatLoad({ openai, callers, body, onContent }: ChatLoadOptions): ChatLoad {
  const asked: Asked[] = []
  let isRunning = true
  const readStream = async (one: Asked) => {
    const { data, response } = await openai.chat.completions.create({ ...body, stream: true }).withResponse()
    one.backend = response.headers.get('x-weir-backend')
    for await (const { choices } of data) {
      one.finishReason = choices[0]?.finish_reason ?? null
      if (!choices[0]?.delta.content) continue
      one.hasContent = true
      onContent(one)
    }
  }
  const readWhole = async (one: Asked) => {
    const { data, response } = await openai.chat.completions.create(body).withResponse()
    one.backend = response.headers.get('x-weir-backend')
    one.hasContent = Boolean(data.choices[0]?.message.content)
    one.finishReason = data.choices[0]?.finish_reason ?? null
  }
  const call = async (streamed: boolean) => {
    while (isRunning) {
      const one: Asked = { streamed, backend: null, hasContent: false, error: null, isOver: false, finishReason: null }
      asked.push(one)
      try {
        await (streamed ? readStream(one) : readWhole(one))
      } catch (error) {
        one.error = error
      }
      one.isOver = true
    }
  }
  const running = Array.from({ length: callers }, (_, index) => call(index % 2 === 0))
  return {
    asked,
    async stop() {
      isRunning = false
      await Promise.all(running)
    },
  }
}
