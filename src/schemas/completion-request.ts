import { NullableBoolean, NullableInteger, NullableText } from './fields.ts'
import { completionExamples } from './request-examples.ts'
import { samplingFields } from './sampling.ts'
import { textOrTokens } from './text-or-tokens.ts'
import { type Static, Type } from './typebox.ts'

export const CompletionRequestSchema = Type.Object(
  {
    ...samplingFields,
    prompt: textOrTokens({ maxTexts: 128, minLength: 0, description: 'A text, texts, tokens, or lists of tokens.' }),
    suffix: Type.Optional(NullableText({ description: 'What follows the answer; only on engines that know it.' })),
    logprobs: Type.Optional(NullableInteger(0, 5, 'Of how many alternatives to give log probabilities.')),
    echo: Type.Optional(NullableBoolean('No engine gives the prompt back: only `false`.')),
    best_of: Type.Optional(NullableInteger(1, 128, 'No engine chooses among answers: only the value of `n`.')),
  },
  { title: 'CompletionRequest', examples: completionExamples },
)
export type CompletionRequest = Static<typeof CompletionRequestSchema>
