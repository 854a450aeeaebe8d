import { type ScopeName, scopeNames } from './config/tiers.ts'
import { OneOfTexts } from './fields.ts'
import { tokenExamples } from './request-examples.ts'
import { type Static, Type } from './typebox.ts'

export const TokenRequestSchema = Type.Object(
  {
    scopes: Type.Optional(
      Type.Array(OneOfTexts<readonly ScopeName[]>(scopeNames), {
        minItems: 1,
        uniqueItems: true,
        description: 'What the token may do: all that the key may, or less.',
      }),
    ),
    expires_in: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 86_400,
        description: 'Seconds; what is longer than the server allows is cut to that.',
      }),
    ),
  },
  { title: 'TokenRequest', 'x-optional': true, examples: tokenExamples, additionalProperties: false },
)
export type TokenRequest = Static<typeof TokenRequestSchema>

export const TokenResponseSchema = Type.Object(
  {
    access_token: Type.String({ description: 'Sent as a key is: `Authorization: Bearer <token>`.' }),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ minimum: 1, description: 'Seconds from now.' }),
    expires_at: Type.String({ description: 'The same as a time, ISO 8601.' }),
    scope: Type.String({ description: 'Its scopes, separated by spaces.' }),
  },
  { title: 'Token' },
)
