import type { BindingContext, BindingToken } from './llama-binding.ts'

/** What OpenAI gives as the logarithm of a probability too small to list. */
const unlisted = -9999

interface Candidate {
  readonly id: number
  readonly token: string
  readonly bytes: readonly number[]
  readonly logprob: number
}

/** One entry of `logprobs.content`. The probabilities are those after sampling: what was really drawn from. */
export interface TokenLogprob extends Candidate {
  readonly top_logprobs: readonly Candidate[]
}

/** How many candidates to ask the binding for: enough that the drawn one is nearly always among them. */
export function countCandidates(topLogprobs: number): number {
  return Math.max(20, topLogprobs)
}

/** Turns the binding's candidates, which are token ids, into text. */
export class LogprobReader {
  readonly #context: BindingContext
  readonly #top: number
  readonly #texts = new Map<number, string>()

  /** @param top how many of the likeliest candidates each entry lists */
  constructor(context: BindingContext, top: number) {
    this.#context = context
    this.#top = top
  }

  async read(drawn: BindingToken): Promise<TokenLogprob> {
    const candidates = await Promise.all((drawn.probs ?? []).map(({ tok, prob }) => this.#describe(tok, prob)))
    candidates.sort((one, other) => other.logprob - one.logprob)
    const own = candidates.find(candidate => candidate.token === drawn.token) ?? {
      id: -1,
      token: drawn.token,
      bytes: [...Buffer.from(drawn.token)],
      logprob: unlisted,
    }
    return { ...own, top_logprobs: candidates.slice(0, this.#top) }
  }

  async #describe(id: number, probability: number): Promise<Candidate> {
    const token = this.#texts.get(id) ?? (await this.#context.detokenize([id]))
    this.#texts.set(id, token)
    return { id, token, bytes: [...Buffer.from(token)], logprob: Math.max(unlisted, Math.log(probability)) }
  }
}
