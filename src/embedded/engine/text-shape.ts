import type { AnswerShape, FinishedChoice } from './answer.ts'
import type { Outcome, Piece } from './generation.ts'
import type { TokenLogprob } from './token-logprob.ts'

/** The wording of `/v1/completions`. One per request: it remembers how far each choice's text has come. */
export class TextShape implements AnswerShape {
  readonly object = 'text_completion'
  readonly chunkObject = 'text_completion'
  readonly #offsets = new Map<number, number>()

  openStream(): readonly object[] {
    return []
  }

  continueStream(index: number, { text, logprobs }: Piece): readonly object[] {
    if (text === '' && logprobs.length === 0) return []
    return [{ text, index, logprobs: this.#word(index, logprobs), finish_reason: null }]
  }

  endStream(index: number, outcome: Outcome): object {
    return { text: '', index, logprobs: null, finish_reason: outcome.finishReason }
  }

  whole(index: number, { text, logprobs, outcome }: FinishedChoice): object {
    return { text, index, logprobs: this.#word(index, logprobs), finish_reason: outcome.finishReason }
  }

  /** OpenAI's parallel lists; llama-server has the chat's shape here, which the SDKs do not know. */
  #word(index: number, entries: readonly TokenLogprob[]): object | null {
    if (entries.length === 0) return null
    let offset = this.#offsets.get(index) ?? 0
    const offsets = entries.map(({ token }) => {
      const start = offset
      offset += [...token].length
      return start
    })
    this.#offsets.set(index, offset)
    return {
      tokens: entries.map(({ token }) => token),
      token_logprobs: entries.map(({ logprob }) => logprob),
      // The drawn token is listed even where others were likelier, so there may be one more than was asked for.
      top_logprobs: entries.map(entry =>
        Object.fromEntries([...entry.top_logprobs, entry].map(({ token, logprob }) => [token, logprob])),
      ),
      text_offset: offsets,
    }
  }
}
