/** Which answers the cache is to forget. */
import { NullableText } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'
import { closed, NameSchema } from './fields.ts'

export const ForgetAnswersSchema = Type.Object(
  {
    account: Type.Optional(NameSchema("All of this account: its id, or its name. Not what a model's accounts share.")),
    model: Type.Optional(
      Type.String({ minLength: 1, maxLength: 256, description: 'All of this model: its name, or an alias.' }),
    ),
    key: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{64}$',
        'x-expects': '64 small hexadecimal digits',
        description: 'The one that `x-weir-cache-key` named.',
      }),
    ),
  },
  closed,
)
export type ForgetAnswers = Static<typeof ForgetAnswersSchema>

export const ForgottenAnswersSchema = Type.Object(
  {
    object: Type.Literal('cache_deletion'),
    account: NullableText({ description: 'Its id.' }),
    model: NullableText({ description: 'Its name.' }),
    key: NullableText({}),
  },
  {
    title: 'CacheDeletion',
    examples: [{ object: 'cache_deletion', account: null, model: 'qwen3-1.7b', key: null }],
  },
)
export type ForgottenAnswers = Static<typeof ForgottenAnswersSchema>
