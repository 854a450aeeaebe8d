import type { RequestBody } from './request-body.ts'
import { badRequest } from './wire-error.ts'

/** The request's sampling fields under the binding's names. */
export type Sampling = Readonly<Record<string, number>> & { readonly seed: number }

/** Wire name → the binding's names; two where the binding's completion paths disagree on it. */
const names: readonly (readonly [wire: string, ...binding: string[]])[] = [
  ['temperature', 'temperature'],
  ['top_p', 'top_p'],
  ['top_k', 'top_k'],
  ['min_p', 'min_p'],
  ['typical_p', 'typ_p', 'typical_p'],
  ['presence_penalty', 'penalty_present'],
  ['frequency_penalty', 'penalty_freq'],
  ['repeat_penalty', 'penalty_repeat'],
  ['repeat_last_n', 'penalty_last_n'],
]

const maxSeed = 2 ** 31 - 1

/** The sampling options of a request. Throws a 400 for a wrong type or for `logit_bias`, which the binding cannot do. */
export function parseSampling(body: RequestBody): Sampling {
  // The binding's own defaults would switch on DRY and XTC, which llama-server leaves off.
  const sampling: Record<string, number> = { dry_multiplier: 0, xtc_probability: 0 }
  for (const [wire, ...targets] of names) {
    const value = body.number(wire)
    if (value === undefined) continue
    // The engine's own check throws where nobody can catch it, and ends the process.
    if (wire === 'repeat_penalty' && value <= 0) throw badRequest("'repeat_penalty' must be greater than 0")
    for (const target of targets) sampling[target] = value
  }
  // Handing it on ends the process with a segmentation fault; ignoring it would be a lie.
  const bias = body.unknown('logit_bias')
  if (bias !== undefined && Object.keys(Object(bias)).length > 0) {
    throw badRequest("'logit_bias' is not supported by the embedded engine")
  }
  return { ...sampling, seed: parseSeed(body.number('seed')) }
}

/** The seed of the n-th choice: the same request gives the same choices, and choices that differ. */
export function seedOfChoice(seed: number, choice: number): number {
  return (seed + choice) % maxSeed
}

/** The binding takes 31 bits, OpenAI's seeds have 64; without a seed every request draws its own. */
function parseSeed(seed: number | undefined): number {
  if (seed === undefined || seed === -1) return Math.floor(Math.random() * maxSeed)
  return Math.abs(Math.trunc(seed)) % maxSeed
}

/** The most tokens the client wants, or infinity; `max_completion_tokens` wins over `max_tokens`. */
export function parseMaxTokens(body: RequestBody): number {
  const wanted = body.number('max_completion_tokens') ?? body.number('max_tokens')
  if (wanted === undefined || wanted < 0) return Number.POSITIVE_INFINITY
  // As llama-server: the first token is made before anything is counted.
  return Math.max(1, Math.trunc(wanted))
}
