import { limitExamples } from './limit-examples.ts'
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
  { title: 'Error', additionalProperties: false },
)

const descriptions = {
  400: 'The request is not valid.',
  401: 'The API key is missing or not valid.',
  403: 'The key may not do this.',
  404: 'There is no such model.',
  408: 'The request took too long to arrive.',
  409: 'It is not as the request takes it to be: a name that is taken, a key that has ended.',
  413: 'The body is too large.',
  415: 'The body is not JSON.',
  429: 'This address has sent too many requests, or too many that failed. See Retry-After.',
  431: 'The headers are too large.',
  500: 'Our fault.',
  502: 'The model server failed.',
  503: 'Not now: busy, loading or stopping. See Retry-After.',
  504: 'The model server took too long.',
} as const

type ErrorStatus = keyof typeof descriptions

const answer = (description: string) => ({ description, content: { 'application/json': { schema: ErrorBodySchema } } })

const answers = (...statuses: readonly ErrorStatus[]) =>
  Object.fromEntries(statuses.map(status => [status, answer(descriptions[status])]))

/** What every route can answer beside its own. */
export const commonErrors = answers(400, 408, 431, 500)

/** What routes without a key can answer where the flood guard counts their callers. */
export const guardedErrors = { ...commonErrors, ...answers(429) }

/** What routes behind a key can answer. */
export const keyErrors = { ...guardedErrors, ...answers(401, 403, 503) }

/** What the exchange of a key for a token can answer beside its 200. */
export const tokenErrors = { ...keyErrors, ...answers(413, 415) }

/** What can become of a look-up of one model. */
export const modelErrors = { ...keyErrors, ...answers(404) }

/** What an inference route can answer beside its 200. */
export const inferenceErrors = {
  ...modelErrors,
  ...answers(413, 415, 502, 504),
  429: {
    description:
      'A limit, a quota or a spend limit of the key or its account is used up; or, as on every route, what this address may send. Where trying again is of no use `x-should-retry` is `false`; else see Retry-After.',
    content: { 'application/json': { schema: ErrorBodySchema, examples: limitExamples } },
  },
  503: answer('Not now: busy, loading or stopping, or limits cannot be kept. See Retry-After.'),
}

/** What can become of a look-up in the admin API. */
export const recordErrors = {
  ...keyErrors,
  404: answer('There is no such account, key, tier, experiment or delivery.'),
}

/** What a change in the admin API can answer beside its 200. */
export const changeErrors = { ...recordErrors, ...answers(409, 413, 415) }
