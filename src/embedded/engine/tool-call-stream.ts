import { randomBytes } from 'node:crypto'
import type { BindingToolCall } from './llama-binding.ts'

/** Names a call, so that its result can refer to it; the engine gives it no id. */
export function buildToolCallId(): string {
  return randomBytes(24).toString('base64url')
}

/** Cuts one choice's growing tool calls into the deltas of a stream. */
export class ToolCallStream {
  readonly #sentArguments: string[] = []

  /** What `calls`, which are all the calls so far, add to what was sent. */
  advance(calls: readonly BindingToolCall[]): readonly object[] {
    return calls.flatMap((call, index) => {
      const { name, arguments: text } = call.function
      const sent = this.#sentArguments[index]
      if (sent === undefined) {
        this.#sentArguments[index] = text
        return [{ index, id: buildToolCallId(), type: 'function', function: { name, arguments: text } }]
      }
      // The parser closes what is still open and may take it back; only what continues the sent text can be sent.
      if (text.length === sent.length || !text.startsWith(sent)) return []
      this.#sentArguments[index] = text
      return [{ index, function: { arguments: text.slice(sent.length) } }]
    })
  }
}
