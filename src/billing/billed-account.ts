import type { Sql } from 'postgres'
import { getAccount, isUuid } from '../admin/context.ts'
import { isBilled } from '../store/billing-credits.ts'

/**
 * Whose bills somebody asks for, by id or name. By its id also an account that is not there any more: what it has used is owed,
 * and stands in the list of all invoices.
 */
export async function billedAccountId(sql: Sql, idOrName: string): Promise<string> {
  if (isUuid(idOrName) && (await isBilled(sql, idOrName))) return idOrName
  return (await getAccount({ sql }, idOrName, 'account')).id
}
