/** What commands ask for over the control socket, where no URL says which record is meant. */
import { Type } from '../typebox.ts'
import { UpdateAccountSchema } from './accounts.ts'
import { closed, NameSchema, TierNameSchema } from './fields.ts'
import { KeyFieldsSchema, RotateKeySchema } from './keys.ts'

const AccountReference = NameSchema('The id or the name of an account.')
const KeyId = Type.String({ pattern: '^[0-9A-Za-z]{16}$', 'x-expects': 'the id of a key' })

export const ForAccountSchema = Type.Object({ account: AccountReference }, closed)

export const EnsureAccountSchema = Type.Object(
  {
    name: NameSchema('Of the account.'),
    tier: Type.Optional(TierNameSchema('For a new account.')),
    key: Type.Optional(KeyFieldsSchema),
  },
  closed,
)

export const ChangeAccountSchema = Type.Object({ account: AccountReference, changes: UpdateAccountSchema }, closed)

export const ForKeySchema = Type.Object({ id: KeyId }, closed)

export const RotationSchema = Type.Object({ id: KeyId, ...RotateKeySchema.properties }, closed)
