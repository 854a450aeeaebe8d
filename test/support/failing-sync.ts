/**
 * A disk that fails, for a gateway of its own process: to have one that answers EIO takes root, or a compiler, so this is
 * loaded into the process before it (`--import`) and stands between its Node and the system.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { makeTempDir } from './temp-dir.ts'

/** One fdatasync(2) of the file, and how long that was. */
export interface SyncCall {
  readonly result: 'ok' | 'EIO'
  readonly bytes: number
}

export interface FailingSync {
  readonly env: Readonly<Record<string, string>>
  readonly nodeFlags: string[]
  /** Each fdatasync(2) of the file fails from now on. */
  fail(): void
  calls(): readonly SyncCall[]
}

/** Of the file that is under this name when it is synced. */
export function makeFailingSync(t: TestContext, path: string): FailingSync {
  const folder = makeTempDir(t)
  const told = join(folder, 'calls')
  writeFileSync(told, '')
  return {
    env: { FAILING_SYNC_OF: path, FAILING_SYNC_IN: folder },
    nodeFlags: ['--import', fileURLToPath(new URL('./failing-sync-preload.ts', import.meta.url))],
    fail: () => writeFileSync(join(folder, 'fails'), ''),
    calls: () =>
      readFileSync(told, 'utf8')
        .split('\n')
        .flatMap(line => (line === '' ? [] : [JSON.parse(line) as SyncCall])),
  }
}
