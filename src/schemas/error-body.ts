import { Type } from './typebox.ts'

export const ErrorBodySchema = Type.Object(
  {
    error: Type.Object(
      {
        message: Type.String({ description: 'What was wrong, where, and what to do.' }),
        type: Type.String(),
        param: Type.Union([Type.String(), Type.Null()], { description: 'The field that was wrong.' }),
        code: Type.Union([Type.String(), Type.Null()]),
      },
      { additionalProperties: false },
    ),
  },
  { $id: 'Error', additionalProperties: false },
)

const answer = (description: string) => ({ description, content: { 'application/json': { schema: ErrorBodySchema } } })

/** What an inference route can answer beside its 200. */
export const errorResponses = {
  400: answer('The request is not valid.'),
  401: answer('The API key is missing or not valid.'),
  403: answer('The key may not do this.'),
  404: answer('There is no such model.'),
  413: answer('The body is too large.'),
  415: answer('The body is not JSON.'),
  429: answer('A limit or quota is exhausted.'),
  500: answer('Our fault.'),
  502: answer('The model server failed.'),
  503: answer('Not now: busy, loading or stopping. See Retry-After.'),
  504: answer('The model server took too long.'),
} as const
