import type { ISql } from 'postgres'
import { withDeadline } from './deadline.ts'

/** The account of the preset admin key and of the key made on first start; every database has it. */
export const defaultAccount = {
  id: '00000000-0000-7000-8000-000000000000',
  name: 'default',
  tier: 'enterprise',
} as const

export type AccountStatus = 'active' | 'suspended'

export interface Account {
  readonly id: string
  readonly name: string
  readonly tier: string
  readonly status: AccountStatus
  readonly createdAt: Date
}

export async function findAccountByName(sql: ISql, name: string): Promise<Account | null> {
  const [account] = await withDeadline(sql<Account[]>`
    select id, name, tier, status, created_at as "createdAt" from accounts where name = ${name}`)
  return account ?? null
}

/** Makes an account unless one of that name exists; the id is the caller's, so a repeated call makes nothing twice. */
export async function insertAccount(sql: ISql, account: Pick<Account, 'id' | 'name' | 'tier'>): Promise<void> {
  await withDeadline(sql`
    insert into accounts (id, name, tier) values (${account.id}, ${account.name}, ${account.tier})
    on conflict do nothing`)
}
