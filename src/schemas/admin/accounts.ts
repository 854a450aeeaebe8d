/** Accounts: who owns keys and pays. */
import { NullableText, OneOfTexts } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'
import { closed, MetadataSchema, NameSchema, shownText, TierNameSchema } from './fields.ts'
import { AccountLimitsSchema, NewAccountLimitsSchema } from './limits.ts'
import { pageFields } from './list.ts'

const statuses = ['active', 'suspended'] as const

const IdentitySchema = Type.Object(
  {
    issuer: Type.String({
      minLength: 1,
      maxLength: 1024,
      pattern: '^[!-~]*$',
      'x-expects': 'printable ASCII without spaces',
      description: 'The `iss` claim of its tokens.',
    }),
    subject: Type.String({
      minLength: 1,
      maxLength: 256,
      ...shownText,
      description: 'The value of the claim that the configuration names for the account.',
    }),
  },
  { title: 'Identity', ...closed },
)

const Identities = Type.Array(IdentitySchema, {
  maxItems: 64,
  uniqueItems: true,
  description: 'Whose tokens speak for the account.',
})

const fields = {
  name: NameSchema('Of one account at a time.'),
  tier: TierNameSchema('A tier of the configuration.'),
  status: OneOfTexts(statuses, { description: 'Nobody gets in for an account that is suspended.' }),
  limits: NewAccountLimitsSchema,
  identities: Identities,
  metadata: MetadataSchema,
}

export const CreateAccountSchema = Type.Object(
  {
    name: fields.name,
    tier: Type.Optional(TierNameSchema('A tier of the configuration; `free` when absent.')),
    status: Type.Optional(fields.status),
    limits: Type.Optional(fields.limits),
    identities: Type.Optional(fields.identities),
    metadata: Type.Optional(fields.metadata),
  },
  {
    title: 'CreateAccount',
    ...closed,
    examples: [{ name: 'acme', tier: 'premium', limits: { requests_per_minute: 1200, spend_per_month: '500.00' } }],
  },
)
export type CreateAccount = Static<typeof CreateAccountSchema>

export const UpdateAccountSchema = Type.Partial(Type.Object(fields), {
  title: 'UpdateAccount',
  ...closed,
  description: 'What is left out stays. Lists and objects are replaced as a whole.',
  examples: [{ status: 'suspended' }],
})
export type UpdateAccount = Static<typeof UpdateAccountSchema>

export const ListAccountsSchema = Type.Object(
  {
    ...pageFields,
    name: Type.Optional(NameSchema('Exactly this name.')),
    tier: Type.Optional(TierNameSchema('Of this tier.')),
    status: Type.Optional(OneOfTexts(statuses, { description: 'Of this status.' })),
    include_deleted: Type.Optional(Type.Boolean({ description: 'Also those that were deleted.' })),
  },
  closed,
)
export type ListAccounts = Static<typeof ListAccountsSchema>

export const AccountSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('account'),
    ...fields,
    limits: AccountLimitsSchema,
    created_at: Type.String(),
    updated_at: Type.String(),
    deleted_at: NullableText({ description: 'When it was deleted; its keys ended then, and its name is free.' }),
  },
  { title: 'Account' },
)
export type AccountView = Static<typeof AccountSchema>
