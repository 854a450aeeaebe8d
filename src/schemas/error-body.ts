import { NullableText } from './fields.ts'
import { type Static, Type } from './typebox.ts'

/** OpenAI's envelope: all four keys, always. */
export const ErrorBodySchema = Type.Object(
  {
    error: Type.Object({
      message: Type.String(),
      type: Type.String(),
      param: NullableText({ description: 'The field at fault, as a path such as `messages[0].content`.' }),
      code: NullableText({}),
    }),
  },
  { $id: 'Error' },
)
export type ErrorBodyJson = Static<typeof ErrorBodySchema>
