/**
 * What an administrator can do: the same by the admin API, over the control socket, and by a command with the database in
 * hand. Every change takes whoever asks for it, gives no more than they have, and is in the audit log.
 *
 * Errors are WeirErrors: `invalidRequest`, `resourceNotFound`, `conflict`, `insufficientPermissions`; what the store throws
 * passes through.
 */
import { WeirError } from '../errors.ts'
import type { AuditEntryView, ListAudit } from '../schemas/admin/audit.ts'
import type { Page } from '../schemas/admin/list.ts'
import type { TierView } from '../schemas/admin/tiers.ts'
import { type AuditEntry, listAudit } from '../store/audit.ts'
import { type AccountOperations, buildAccountOperations } from './account-operations.ts'
import { findTier, type OperationsContext, parseTime, shown } from './context.ts'
import { buildKeyOperations, type KeyOperations } from './key-operations.ts'
import { byId, readPage } from './page.ts'
import { tierView } from './tier-views.ts'

export interface Operations extends AccountOperations, KeyOperations {
  listAudit(input: ListAudit): Promise<Page<AuditEntryView>>
  listTiers(): Page<TierView>
  getTier(input: { readonly name: string }): TierView
}

export function buildOperations(context: OperationsContext): Operations {
  const { sql, tiers } = context
  return {
    ...buildAccountOperations(context),
    ...buildKeyOperations(context),
    listAudit: async ({ limit, cursor, ...filter }) =>
      await readPage(
        { ...(limit !== undefined && { limit }), ...(cursor !== undefined && { cursor }) },
        {
          ...byId,
          read: (most, before: string | null) => listAudit(sql, auditFilter(filter), { limit: most, before }),
          view: auditView,
        },
      ),
    listTiers: () => {
      const data = Object.entries(tiers()).map(([name, tier]) => tierView(name, tier))
      return { object: 'list', data, has_more: false, next_cursor: null }
    },
    getTier: ({ name }) => {
      const tier = findTier(tiers(), name)
      if (tier !== undefined) return tierView(name, tier)
      throw new WeirError('resourceNotFound', `There is no tier "${shown(name)}".`)
    },
  }
}

const auditFilter = (input: ListAudit) => ({
  targetKind: input.target_kind ?? null,
  targetId: input.target_id ?? null,
  actorKind: input.actor_kind ?? null,
  actorId: input.actor_id ?? null,
  action: input.action ?? null,
  since: input.since === undefined ? null : parseTime(input.since, 'since'),
  until: input.until === undefined ? null : parseTime(input.until, 'until'),
})

function auditView({ id, at, author, action, target, before, after }: AuditEntry): AuditEntryView {
  const { kind, id: actorId, account, requestId } = author
  return {
    id,
    object: 'audit_entry',
    at: at.toISOString(),
    actor: { kind, id: actorId, account },
    action,
    target,
    before,
    after,
    request_id: requestId,
  }
}
