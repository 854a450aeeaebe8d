import type { AnswerShape } from './answer.ts'
import type { TokenLogprob } from './token-logprob.ts'

/** The wording of `/v1/completions`; log probabilities have the chat's shape, as llama-server's. */
export const textShape: AnswerShape = {
  object: 'text_completion',
  chunkObject: 'text_completion',
  openStream: () => [],
  continueStream: (index, piece) =>
    piece.text === '' && piece.logprobs.length === 0
      ? []
      : [{ text: piece.text, index, logprobs: logprobsOf(piece.logprobs), finish_reason: null }],
  endStream: (index, outcome) => ({ text: '', index, logprobs: null, finish_reason: outcome.finishReason }),
  whole: (index, { text, logprobs, outcome }) => ({
    text,
    index,
    logprobs: logprobsOf(logprobs),
    finish_reason: outcome.finishReason,
  }),
}

function logprobsOf(entries: readonly TokenLogprob[]): object | null {
  return entries.length > 0 ? { content: entries } : null
}
