/** The inputs of a request for embeddings, each of which is looked for and kept by itself. */
import { type AnswerFields, type AnswerScope, answerKeyOf } from '../domain/cache-key.ts'

/** A text, or a list of tokens. */
export type Input = string | readonly number[]

/** A list of texts or of token lists is several inputs; a text or one list of tokens is one. */
export function inputsOf(input: unknown): readonly Input[] {
  return Array.isArray(input) && typeof input[0] !== 'number' ? input : [input as Input]
}

/** In the order of the inputs; two that are the same have the same. */
export function inputKeysOf(
  secret: Buffer,
  scope: AnswerScope,
  { values, ...fields }: AnswerFields,
  inputs: readonly Input[],
): readonly string[] {
  const others = { ...fields, values: new Map([...values].filter(([name]) => name !== 'input')) }
  return inputs.map(input => answerKeyOf(secret, scope, others, input))
}

/**
 * What each input had of the tokens of all of them, by its length: engines say only the sum. Whole numbers that add up to it.
 */
export function shareTokens(inputs: readonly Input[], tokens: number): readonly number[] {
  const all = inputs.reduce((sum, { length }) => sum + length, 0)
  let passed = 0
  let given = 0
  return inputs.map(({ length }) => {
    passed += length
    const share = Math.round((tokens * passed) / all) - given
    given += share
    return share
  })
}
