import { type ScopeName, scopeNames } from './config/tiers.ts'
import { OneOfTexts } from './fields.ts'
import { tokenExamples } from './request-examples.ts'
import { type Static, Type } from './typebox.ts'

const TokenFieldsSchema = Type.Object(
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
  { additionalProperties: false },
)
export type TokenRequest = Static<typeof TokenFieldsSchema>

/** A request without a body asks for nothing in particular. */
export const TokenRequestSchema = Type.Unsafe<TokenRequest | null>({
  ...TokenFieldsSchema,
  type: ['object', 'null'],
  title: 'TokenRequest',
  examples: tokenExamples,
})

export const TokenResponseSchema = Type.Object(
  {
    access_token: Type.String({ description: 'Sent as a key is: `Authorization: Bearer <token>`.' }),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ description: 'Seconds from now.' }),
    expires_at: Type.String({ description: 'The same as a time, ISO 8601.' }),
    scope: Type.String({ description: 'Its scopes, separated by spaces.' }),
  },
  { title: 'Token' },
)
