/** A spool on a folder, and disks on which things go wrong. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { policyOf, unknownEvent } from '../../src/domain/unknown-usage.ts'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { type LedgerDisk, type LedgerFile, nodeDisk } from '../../src/ledger/ledger-disk.ts'
import type { LedgerNotice } from '../../src/ledger/ledger-notice.ts'
import type { LedgerBatch } from '../../src/ledger/ledger-reader.ts'
import { Spool, type SpoolOptions } from '../../src/ledger/spool.ts'
import { onEnd } from './cleanup.ts'
import { noMarks } from './ledger-records.ts'
import { makeTempDir } from './temp-dir.ts'

export interface OpenedSpool {
  readonly spool: Spool
  readonly folder: string
  readonly notices: LedgerNotice[]
  readonly noticesOf: <K extends LedgerNotice['kind']>(kind: K) => Extract<LedgerNotice, { kind: K }>[]
}

/** Closed when the test ends. Unknown requests are charged what was reserved for them. */
export async function openSpool(t: TestContext, options: Partial<SpoolOptions> = {}): Promise<OpenedSpool> {
  const notices: LedgerNotice[] = []
  const folder = options.folder ?? join(makeTempDir(t), 'ledger')
  const spool = await Spool.open({
    folder,
    marks: noMarks,
    toUnknown: intent => unknownEvent(intent, policyOf('reserved')),
    onNotice: notice => notices.push(notice),
    ...options,
  })
  onEnd(t, () => spool.close())
  const noticesOf: OpenedSpool['noticesOf'] = kind =>
    notices.filter((notice): notice is Extract<LedgerNotice, { kind: typeof kind }> => notice.kind === kind)
  return { spool, folder, notices, noticesOf }
}

/** What is on the disk at this moment, in another folder: what a killed process leaves. */
export function copyAsCrashed(t: TestContext, folder: string): string {
  const copy = join(makeTempDir(t), 'ledger')
  cpSync(folder, copy, { recursive: true })
  rmSync(join(copy, 'lock.db'), { force: true })
  return copy
}

/** All finals that there are, in order; they are not acknowledged. */
export const readAll = (spool: Spool) => takeAll(spool, async () => undefined)

/** The same, and they are acknowledged. */
export const storeAll = (spool: Spool) => takeAll(spool, batch => spool.acknowledge(batch))

async function takeAll(spool: Spool, done: (batch: LedgerBatch) => Promise<void>): Promise<UsageEvent[]> {
  const events: UsageEvent[] = []
  for (;;) {
    const batch = await spool.next({ maxRecords: 100, maxBytes: 16 * 1024 })
    if (batch === null) return events
    events.push(...batch.events)
    await done(batch)
  }
}

export const idsOf = (events: readonly { id: string }[]) => events.map(({ id }) => id)

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the disk says`), { code })
}

/** The real disk, with what a test changes about its files and itself. */
export function changedDisk(
  changeFile: (file: LedgerFile, path: string) => Partial<LedgerFile>,
  change: Partial<LedgerDisk> = {},
): LedgerDisk {
  return {
    ...nodeDisk,
    create: async path => {
      const file = await nodeDisk.create(path)
      return { ...file, ...changeFile(file, path) }
    },
    ...change,
  }
}
