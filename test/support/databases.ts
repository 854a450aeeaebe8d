import type { TestContext } from 'node:test'
import type { Sql } from 'postgres'
import { openDatabase } from '../../src/store/database.ts'
import { onEnd } from './cleanup.ts'
import { copyEmbedded } from './embedded-template.ts'
import { createMigratedDatabase } from './services.ts'
import { makeTempDir } from './temp-dir.ts'

/** The two databases that every store has to work with, each opened as the program opens it. */
export const databaseKinds = ['embedded', 'PostgreSQL'] as const
export type DatabaseKind = (typeof databaseKinds)[number]

/** An open database with the newest schema, closed when the test ends. */
export async function openTestDatabase(t: TestContext, kind: DatabaseKind): Promise<Sql> {
  const dataDir = makeTempDir(t)
  if (kind === 'embedded') await copyEmbedded(dataDir)
  const stores = kind === 'embedded' ? { dataDir } : { dataDir, databaseUrl: await createMigratedDatabase(t) }
  const database = await openDatabase(stores)
  onEnd(t, () => database.close())
  return database.sql
}
