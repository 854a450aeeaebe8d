/** A server that is ended in the middle of its start. */
import { deepStrictEqual, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { compareSchema } from '../../src/store/migrate.ts'
import { isAlive, pepper, untilReady } from '../e2e/process/calls.ts'
import { onEnd } from './cleanup.ts'
import { eventually } from './eventually.ts'
import { startGateway } from './gateway-process.ts'
import { within } from './inbox.ts'
import { processTree } from './process-tree.ts'
import { createDatabase } from './services.ts'
import { makeTempDir } from './temp-dir.ts'

const server = fileURLToPath(new URL('../../src/server.ts', import.meta.url))

export interface Interruption {
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
  /** No event tells of the moments that matter. */
  readonly afterMs: number
  readonly signal: 'SIGTERM' | 'SIGKILL'
}

/** Starts it and ends it after so long; waits until none of its processes is left. */
export async function startAndEnd(t: TestContext, { folder, env = {}, afterMs, signal }: Interruption) {
  const child = spawn(process.execPath, [server], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: folder, HOST: '127.0.0.1', PORT: '0', ...env },
  })
  onEnd(t, () => child.kill('SIGKILL'))
  const exit = once(child, 'exit')
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  await delay(afterMs)
  const children = processTree(child.pid ?? 0).slice(1)
  const sinceMs = performance.now()
  child.kill(signal)
  const [code, by] = await within(exit, 10_000, () => `it does not end after ${signal}: ${stderr}`)
  const tookMs = performance.now() - sinceMs
  // The engine sees that its channel has closed; one that is still loading sees it when it has loaded.
  await eventually('no process is left', () => !children.some(isAlive))
  return { code, by, tookMs, stderr }
}

const leastSpanMs = 3000
const startedTogether = 2
const stores = { WEIR_KEY_PEPPER: pepper, WEIR_BACKEND_URL: 'http://127.0.0.1:9', MIN_DRAIN: '0s' }

/**
 * Starts on a new PostgreSQL each, ended by SIGTERM within three seconds, or longer where a start takes most of that; the
 * last one is started once more.
 */
export async function interruptOnDatabases(t: TestContext, rounds: number): Promise<void> {
  const spanMs = Math.max(leastSpanMs, 1.5 * (await startWell(t, makeTempDir(t), await createDatabase(t))))
  const outcomes = { none: 0, whole: 0, slowestMs: 0 }
  const one = async (round: number) => {
    const databaseUrl = await createDatabase(t)
    const folder = makeTempDir(t)
    const afterMs = Math.round((spanMs * (round + Math.random())) / rounds)
    const { code, by, tookMs, stderr } = await startAndEnd(t, {
      folder,
      env: envOf(databaseUrl),
      afterMs,
      signal: 'SIGTERM',
    })
    ok(code === 0 || by === 'SIGTERM', `${code} ${by} after ${afterMs} ms: ${stderr}`)
    ok(tookMs <= 2000, `it took ${tookMs} ms to end, after ${afterMs} ms`)
    outcomes.slowestMs = Math.max(outcomes.slowestMs, Math.round(tookMs))
    outcomes[await schemaIn(t, databaseUrl)] += 1
    if (round === rounds - 1) await startWell(t, folder, databaseUrl)
  }
  for (let round = 0; round < rounds; round += startedTogether) {
    await Promise.all(Array.from({ length: startedTogether }, (_, index) => one(round + index)))
  }
  t.diagnostic(`of ${rounds} within ${Math.round(spanMs)} ms: ${JSON.stringify(outcomes)}`)
}

const envOf = (databaseUrl: string) => ({
  ...stores,
  DATABASE_URL: databaseUrl,
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
})

/** How long it took until it was ready. */
async function startWell(t: TestContext, folder: string, databaseUrl: string): Promise<number> {
  const sinceMs = performance.now()
  const gateway = await startGateway(t, { folder, env: envOf(databaseUrl) })
  await untilReady(gateway.url)
  const tookMs = performance.now() - sinceMs
  gateway.kill()
  deepStrictEqual(await gateway.exit, { code: 0, signal: null })
  return tookMs
}

/** Fails where there is a part of it, or somebody holds a lock. */
async function schemaIn(t: TestContext, databaseUrl: string): Promise<'none' | 'whole'> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined })
  onEnd(t, () => sql.end({ timeout: 1 }))
  const locks = () => sql`
    select from pg_locks l join pg_database d on d.oid = l.database
    where l.locktype = 'advisory' and d.datname = current_database()`
  await eventually('no lock is left', async () => (await locks()).length === 0)
  const { missing, isNew } = await compareSchema(sql)
  ok(isNew || missing.length === 0, `a part of the schema is missing: ${missing}`)
  await sql.end()
  return isNew ? 'none' : 'whole'
}
