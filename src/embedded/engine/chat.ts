import type { Chat } from './engine.ts'
import type { BindingChatOptions, BindingMessage } from './llama-binding.ts'
import { RequestBody } from './request-body.ts'
import { isRecord } from './settings.ts'
import { badRequest } from './wire-error.ts'

/** The chat of a request: messages, tools and the format asked for. Throws a 400 that names what is wrong. */
export function parseChat(body: RequestBody): Chat {
  const messages = body.array('messages')
  if (messages === undefined) throw badRequest("'messages' is required")
  return { messages: messages.map(parseMessage), options: parseOptions(body) }
}

function parseMessage(value: unknown): BindingMessage {
  const message = new RequestBody(value)
  const role = message.unknown('role')
  if (typeof role !== 'string') {
    throw badRequest(`Failed to parse messages: Missing 'role' in message: ${JSON.stringify(value)}`)
  }
  const calls = message.array('tool_calls')
  const callId = message.unknown('tool_call_id')
  const name = message.unknown('name')
  return {
    role,
    content: parseContent(message.unknown('content')),
    ...(calls === undefined ? {} : { tool_calls: calls }),
    ...(typeof callId === 'string' ? { tool_call_id: callId } : {}),
    ...(typeof name === 'string' ? { name } : {}),
  }
}

function parseContent(content: unknown): string | null {
  if (content === undefined) return null
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw badRequest("'content' must be a string or an array of parts")
  const parts: readonly unknown[] = content
  return parts.map(parsePart).join('\n')
}

function parsePart(part: unknown): string {
  if (!isRecord(part)) throw badRequest("a part of 'content' must be an object")
  const { type, text } = part
  if (type === 'image_url' || type === 'input_audio' || type === 'file') {
    const medium = { image_url: 'image', input_audio: 'audio', file: 'file' }[type]
    throw badRequest(`${medium} input is not supported`)
  }
  if (typeof text !== 'string') throw badRequest(`unsupported content part: ${String(type)}`)
  return text
}

function parseOptions(body: RequestBody): BindingChatOptions {
  const schema = parseSchema(body.object('response_format'))
  const options: BindingChatOptions = { jinja: true, add_generation_prompt: true }
  // As llama-server: a format wins over tools.
  if (schema !== undefined) {
    return { ...options, response_format: { type: 'json_schema', json_schema: { schema } } }
  }
  const tools = body.array('tools') ?? []
  const choice = parseToolChoice(body.unknown('tool_choice'), tools)
  if (tools.length === 0 || choice.kind === 'none') return options
  return {
    ...options,
    tools: choice.tools,
    tool_choice: choice.kind,
    parallel_tool_calls: body.boolean('parallel_tool_calls') ?? false,
  }
}

function parseSchema(format: RequestBody | undefined): object | undefined {
  switch (format?.unknown('type')) {
    case undefined:
    case 'text':
      return undefined
    case 'json_object':
      return { type: 'object' }
    case 'json_schema': {
      const schema = format?.object('json_schema')?.unknown('schema')
      if (isRecord(schema)) return schema
      throw badRequest("'response_format.json_schema.schema' must be an object")
    }
    default:
      throw badRequest("'response_format.type' must be one of 'text', 'json_object', 'json_schema'")
  }
}

type ToolChoice = { readonly kind: 'none' } | { readonly kind: 'auto' | 'required'; readonly tools: readonly unknown[] }

function parseToolChoice(choice: unknown, tools: readonly unknown[]): ToolChoice {
  if (choice === undefined || choice === 'auto') return { kind: 'auto', tools }
  if (choice === 'required') return { kind: 'required', tools }
  // The tools stay out of the prompt, else the model writes calls that nobody parses.
  if (choice === 'none') return { kind: 'none' }
  const wanted = isRecord(choice) ? nameOf(choice) : undefined
  const named = tools.filter(tool => nameOf(tool) === wanted)
  if (wanted !== undefined && named.length > 0) return { kind: 'required', tools: named }
  throw badRequest("'tool_choice' must be 'none', 'auto', 'required' or name one of the tools")
}

function nameOf(tool: unknown): unknown {
  const definition = isRecord(tool) ? tool['function'] : undefined
  return isRecord(definition) ? definition['name'] : undefined
}
