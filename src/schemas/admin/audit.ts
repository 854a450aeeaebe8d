/** The audit log: who changed what, and how it was before and after. */
import { NullableText, OneOfTexts, storedText } from '../fields.ts'
import { type Static, Type } from '../typebox.ts'
import { closed, TimeSchema } from './fields.ts'
import { pageFields } from './list.ts'

/** How whoever asked had proved it: `key` also for tokens of ours, `command` on the machine itself, `system` Weir. */
const actorKinds = ['admin-key', 'key', 'jwt', 'command', 'system'] as const
export type ActorKind = (typeof actorKinds)[number]

const targetKinds = ['account', 'key', 'experiment', 'credit', 'billing_month', 'webhook_delivery'] as const
export type TargetKind = (typeof targetKinds)[number]

const actions = [
  'account.create',
  'account.update',
  'account.delete',
  'key.create',
  'key.update',
  'key.rotate',
  'key.revoke',
  'experiment.update',
  'credit.create',
  'billing_month.close',
  'webhook_delivery.retry',
] as const
export type AuditAction = (typeof actions)[number]

const Text = (description: string) => Type.Optional(Type.String({ maxLength: 2048, ...storedText, description }))

export const ListAuditSchema = Type.Object(
  {
    ...pageFields,
    target_kind: Type.Optional(OneOfTexts(targetKinds, { description: 'Changes of this kind of record.' })),
    target_id: Text('Changes of this record.'),
    actor_kind: Type.Optional(OneOfTexts(actorKinds, { description: 'Changes by this kind of actor.' })),
    actor_id: Text('Changes by this actor.'),
    action: Type.Optional(OneOfTexts(actions, { description: 'Changes of this kind.' })),
    since: Type.Optional(TimeSchema('Changes at this time or later.')),
    until: Type.Optional(TimeSchema('Changes before this time.')),
  },
  closed,
)
export type ListAudit = Static<typeof ListAuditSchema>

/** A record as it was. */
export type Snapshot = Readonly<Record<string, unknown>>

const SnapshotSchema = (description: string) =>
  Type.Unsafe<Snapshot | null>({ type: ['object', 'null'], additionalProperties: true, description })

/** Who has asked for a change. */
export const ActorSchema = (description: string) =>
  Type.Object(
    {
      kind: OneOfTexts(actorKinds),
      id: NullableText({ description: 'The id of the key, or `issuer subject` of the token.' }),
      account: NullableText({ description: 'The id of its account.' }),
    },
    { description },
  )

export const AuditEntrySchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('audit_entry'),
    at: Type.String(),
    actor: ActorSchema('Who asked for the change.'),
    action: OneOfTexts(actions),
    target: Type.Object({ kind: OneOfTexts(targetKinds), id: Type.String() }, { description: 'What was changed.' }),
    before: SnapshotSchema('The record before the change; null where it was made.'),
    after: SnapshotSchema('The record after it.'),
    request_id: NullableText({ description: 'The `x-request-id` of the request that asked for it.' }),
  },
  { title: 'AuditEntry' },
)
export type AuditEntryView = Static<typeof AuditEntrySchema>
