import { type AnswerOptions, answer, type Choice } from './answer.ts'
import { parseChat } from './chat.ts'
import { ChatShape } from './chat-shape.ts'
import type { Engine, Prompt } from './engine.ts'
import type { Exchange } from './exchange.ts'
import type { RequestBody } from './request-body.ts'
import { parseMaxTokens, parseSampling, seedOfChoice } from './sampling.ts'
import { readTextInputs } from './text-input.ts'
import { TextShape } from './text-shape.ts'
import { ChoiceMeter } from './usage-meter.ts'
import { badRequest } from './wire-error.ts'

/** `POST /v1/chat/completions` */
export async function completeChat(engine: Engine, exchange: Exchange): Promise<void> {
  const body = await exchange.readBody()
  const prompt = await engine.buildChatPrompt(parseChat(body))
  const topLogprobs = body.boolean('logprobs') === true ? (body.number('top_logprobs') ?? 0) : undefined
  const choices = buildChoices(engine, body, [prompt], topLogprobs)
  await answer(engine, exchange, choices, { shape: new ChatShape(), options: parseAnswerOptions(body) })
}

/** `POST /v1/completions`: one prompt or several, as text or token ids. */
export async function completeText(engine: Engine, exchange: Exchange): Promise<void> {
  const body = await exchange.readBody()
  const texts = await readTextInputs(engine, body, 'prompt')
  const prompts = await Promise.all(texts.map(text => engine.buildTextPrompt(text)))
  const choices = buildChoices(engine, body, prompts, body.number('logprobs'))
  await answer(engine, exchange, choices, { shape: new TextShape(), options: parseAnswerOptions(body) })
}

/** `POST /v1/chat/completions/input_tokens`: what the prompt would count. */
export async function countChatTokens(engine: Engine, exchange: Exchange): Promise<void> {
  const tokens = await engine.countChatTokens(parseChat(await exchange.readBody()))
  exchange.sendJson({ input_tokens: tokens, object: 'response.input_tokens' })
}

/** `n` choices of each prompt, in order. */
function buildChoices(
  engine: Engine,
  body: RequestBody,
  prompts: readonly Prompt[],
  topLogprobs: number | undefined,
): readonly Choice[] {
  const n = body.number('n') ?? 1
  if (!Number.isInteger(n) || n < 1 || n > engine.slots.total) {
    throw badRequest(`'n' must be a whole number from 1 to ${engine.slots.total}`)
  }
  if (topLogprobs !== undefined && (topLogprobs < 0 || topLogprobs > 20)) {
    throw badRequest("'top_logprobs' must be from 0 to 20")
  }
  const sampling = parseSampling(body)
  const stops = body.strings('stop').filter(stop => stop !== '')
  const maxTokens = parseMaxTokens(body)
  return prompts.flatMap(prompt =>
    Array.from({ length: n }, (_, index) => ({
      request: {
        prompt,
        sampling: { ...sampling, seed: seedOfChoice(sampling.seed, index) },
        stops,
        maxTokens,
        topLogprobs,
      },
      meter: new ChoiceMeter(prompt.tokens, index === 0),
    })),
  )
}

function parseAnswerOptions(body: RequestBody): AnswerOptions {
  return {
    isStream: body.boolean('stream') ?? false,
    includeUsage: body.object('stream_options')?.boolean('include_usage') ?? false,
    timingsPerToken: body.boolean('timings_per_token') ?? false,
  }
}
