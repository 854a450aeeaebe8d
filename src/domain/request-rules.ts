import { WeirError } from '../errors.ts'
import type { ChatMessage } from '../schemas/chat-message.ts'
import type { ChatRequest } from '../schemas/chat-request.ts'
import type { CompletionRequest } from '../schemas/completion-request.ts'
import type { Tool, ToolChoice } from '../schemas/tool.ts'
import { isImageDataUrl } from './image-url.ts'

/**
 * What a schema of single fields cannot say: fields that contradict each other, and values that no engine honours, so
 * that the answer would be silently wrong.
 */

export interface MediaRules {
  /** Whether a backend may be asked to fetch `http:` and `https:` images by itself. Off by default: it would be sent anywhere. */
  readonly allowRemoteImages: boolean
}

/** @throws WeirError `invalidRequest` with `param`. */
export function checkChatRequest(body: ChatRequest, rules: MediaRules): void {
  checkStreamOptions(body)
  if ((body.top_logprobs ?? 0) > 0 && body.logprobs !== true) {
    throw invalid('top_logprobs', 'needs `logprobs: true`')
  }
  if (body.tool_choice !== undefined) checkToolChoice(body.tool_choice, body.tools ?? [])
  for (let index = 0; index < body.messages.length; index++) {
    checkMessage(body.messages[index] as ChatMessage, index, rules)
  }
}

/** @throws WeirError `invalidRequest` with `param`. */
export function checkCompletionRequest(body: CompletionRequest): void {
  checkStreamOptions(body)
  // Engines take both and act on neither.
  if (body.echo === true) throw invalid('echo', 'is not supported: the prompt is not given back')
  const n = body.n ?? 1
  if (typeof body.best_of === 'number' && body.best_of !== n) {
    throw invalid('best_of', `is not supported: it may only repeat n, which is ${n}`)
  }
  const prompts = Array.isArray(body.prompt) && typeof body.prompt[0] !== 'number' ? body.prompt.length : 1
  if (prompts * n > maxAnswers) throw invalid('n', `times the number of prompts must be at most ${maxAnswers}`)
}

/** How many answers one request may ask for, over all its prompts. */
const maxAnswers = 128

function invalid(param: string, problem: string): WeirError {
  return new WeirError('invalidRequest', `${param} ${problem}.`, { param })
}

function checkStreamOptions(body: { stream?: boolean | null; stream_options?: unknown }): void {
  if (body.stream_options !== undefined && body.stream_options !== null && body.stream !== true) {
    throw invalid('stream_options', 'is only allowed with `stream: true`')
  }
}

function checkToolChoice(choice: ToolChoice, tools: readonly Tool[]): void {
  if (choice === 'auto' || choice === 'none') return
  if (tools.length === 0) throw invalid('tool_choice', 'asks for a tool, but there are no tools')
  if (choice === 'required') return
  const isKnown = (name: string) => tools.some(tool => tool.function.name === name)
  if (choice.type === 'function') {
    if (!isKnown(choice.function.name)) throw invalid('tool_choice.function.name', 'is not one of the tools')
    return
  }
  const unknown = choice.allowed_tools.tools.findIndex(tool => !isKnown(tool.function.name))
  if (unknown !== -1) {
    throw invalid(`tool_choice.allowed_tools.tools[${unknown}].function.name`, 'is not one of the tools')
  }
}

function checkMessage(message: ChatMessage, index: number, rules: MediaRules): void {
  const { content } = message
  if (message.role === 'assistant') {
    const says =
      (content ?? undefined) !== undefined ||
      (message.tool_calls?.length ?? 0) > 0 ||
      (message.function_call ?? message.reasoning_content ?? message.refusal ?? undefined) !== undefined
    if (!says) throw invalid(`messages[${index}].content`, 'is required where there are no tool_calls')
  }
  if (message.role !== 'user' || !Array.isArray(content)) return
  for (let at = 0; at < content.length; at++) {
    const part = content[at]
    if (part?.type !== 'image_url' || isImageDataUrl(part.image_url.url)) continue
    if (rules.allowRemoteImages && /^https?:\/\/[!-~]{1,2048}$/.test(part.image_url.url)) continue
    throw invalid(
      `messages[${index}].content[${at}].image_url.url`,
      rules.allowRemoteImages
        ? 'must be an http(s) URL or a data: URL of a PNG, JPEG, WebP or GIF in base64'
        : 'must be a data: URL of a PNG, JPEG, WebP or GIF in base64 (data:image/png;base64,…)',
    )
  }
}
