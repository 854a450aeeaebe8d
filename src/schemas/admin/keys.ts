/** API keys as they are administered. The secret stands in one answer only: that of the request that made it. */
import { NullableText, OneOfTexts } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'
import { closed, KeyModelsSchema, KeyScopesSchema, MetadataSchema, NameSchema, NullableTimeSchema } from './fields.ts'
import { KeyLimitsSchema, NewKeyLimitsSchema } from './limits.ts'
import { pageFields } from './list.ts'

const statuses = ['active', 'expired', 'revoked'] as const

const fields = {
  name: NameSchema('What it is for.'),
  scopes: KeyScopesSchema,
  models: KeyModelsSchema,
  limits: NewKeyLimitsSchema,
  expires_at: NullableTimeSchema('When it ends by itself; null is never.'),
  semantic_cache: Type.Boolean({
    description:
      'Whether a question may be answered as one that means the same, where its model allows it; false when absent.',
  }),
  metadata: MetadataSchema,
}

const UpdateFields = Type.Partial(Type.Object(fields))
/** What a key is asked for by, whose account may still have to be made. */
export const KeyFieldsSchema = Type.Object(UpdateFields.properties, closed)
export type KeyFields = Static<typeof KeyFieldsSchema>

export const CreateKeySchema = Type.Object(
  { account: NameSchema('The id or the name of its account.'), ...UpdateFields.properties },
  {
    title: 'CreateKey',
    ...closed,
    examples: [{ account: 'acme', name: 'ci', scopes: ['chat', 'models'], models: ['qwen3-*'] }],
  },
)
export type CreateKey = Static<typeof CreateKeySchema>

export const UpdateKeySchema = Type.Object(UpdateFields.properties, {
  title: 'UpdateKey',
  ...closed,
  description: 'What is left out stays. Lists and objects are replaced as a whole.',
  examples: [{ models: ['qwen3-8b'] }],
})
export type UpdateKey = Static<typeof UpdateKeySchema>

export const RotateKeySchema = Type.Object(
  {
    grace_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2_592_000,
        description: 'How long the old key still works beside the new one; a day when absent.',
      }),
    ),
    name: Type.Optional(NameSchema("Of the new key; the old one's when absent.")),
  },
  { title: 'RotateKey', 'x-optional': true, ...closed, examples: [{ grace_seconds: 3600 }] },
)
export type RotateKey = Static<typeof RotateKeySchema>

export const ListKeysSchema = Type.Object(
  {
    ...pageFields,
    account: Type.Optional(NameSchema('Of the account with this id or name.')),
    status: Type.Optional(OneOfTexts(statuses, { description: 'Of this status.' })),
  },
  closed,
)
export type ListKeys = Static<typeof ListKeysSchema>

const answerFields = {
  id: Type.String({ description: 'The part of the key that may be shown.' }),
  object: Type.Literal('api_key'),
  account: Type.Object({ id: Type.String(), name: Type.String() }),
  tier: Type.String({ description: "The account's." }),
  ...fields,
  limits: KeyLimitsSchema,
  status: OneOfTexts(statuses),
  created_at: Type.String(),
  updated_at: Type.String(),
  revoked_at: NullableText({}),
  last_used_at: NullableText({ description: 'About when it last let somebody in.' }),
  replaces: NullableText({ description: 'The key that this one was made for in a rotation.' }),
  replaced_by: NullableText({ description: 'The key that was made for this one in a rotation.' }),
}

export const KeySchema = Type.Object(answerFields, { title: 'ApiKey' })
export type KeyView = Static<typeof KeySchema>

export const CreatedKeySchema = Type.Object(
  { ...answerFields, key: Type.String({ description: 'The key itself. It is kept nowhere and never shown again.' }) },
  { title: 'CreatedApiKey' },
)
export type CreatedKeyView = Static<typeof CreatedKeySchema>
