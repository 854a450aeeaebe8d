import type { AnswerShape, FinishedChoice } from './answer.ts'
import type { Outcome, Piece } from './generation.ts'
import type { TokenLogprob } from './token-logprob.ts'
import { buildToolCallId, ToolCallStream } from './tool-call-stream.ts'

/** The wording of `/v1/chat/completions`. One per request: it remembers which parts of a tool call were sent. */
export class ChatShape implements AnswerShape {
  readonly object = 'chat.completion'
  readonly chunkObject = 'chat.completion.chunk'
  readonly #toolCalls = new Map<number, ToolCallStream>()

  openStream(index: number): readonly object[] {
    return [{ finish_reason: null, index, delta: { role: 'assistant', content: null } }]
  }

  continueStream(index: number, piece: Piece): readonly object[] {
    const choices: object[] = []
    if (piece.text !== '' || piece.logprobs.length > 0) {
      choices.push({ finish_reason: null, index, delta: { content: piece.text }, ...logprobsField(piece.logprobs) })
    }
    for (const call of this.#advanceCalls(index, piece)) {
      choices.push({ finish_reason: null, index, delta: { tool_calls: [call] } })
    }
    return choices
  }

  endStream(index: number, outcome: Outcome): object {
    return { finish_reason: outcome.finishReason, index, delta: {} }
  }

  whole(index: number, { text, logprobs, outcome }: FinishedChoice): object {
    const calls = outcome.toolCalls?.map(call => ({ ...call, id: buildToolCallId() })) ?? []
    const message = { role: 'assistant', content: text, ...(calls.length > 0 ? { tool_calls: calls } : {}) }
    return { finish_reason: outcome.finishReason, index, message, ...logprobsField(logprobs) }
  }

  #advanceCalls(index: number, piece: Piece): readonly object[] {
    if (piece.toolCalls === undefined) return []
    const stream = this.#toolCalls.get(index) ?? new ToolCallStream()
    this.#toolCalls.set(index, stream)
    return stream.advance(piece.toolCalls)
  }
}

function logprobsField(entries: readonly TokenLogprob[]): object {
  return entries.length > 0 ? { logprobs: { content: entries } } : {}
}
