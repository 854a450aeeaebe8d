import { join } from 'node:path'
import type { LedgerNotice } from './ledger-notice.ts'

/** A notice in words, for a person who runs a command on the ledger in this folder. */
export function textOf(notice: LedgerNotice, folder: string): string {
  switch (notice.kind) {
    case 'level':
      return notice.level === 'ok' ? 'there is room again' : `there is little room: ${notice.reason}`
    case 'damage': {
      const { at, damage, keptAs } = notice
      const kept = keptAs === null ? 'could not be kept' : `are kept in ${join(folder, 'quarantine', keptAs)}`
      const where = `segment ${at.segment} is damaged at byte ${at.offset}: ${damage.reason}`
      return `${where}; its last ${damage.bytes} bytes ${kept}`
    }
    case 'segments_missing':
      return `segments ${notice.from} to ${notice.to} are missing`
    case 'cursor_damaged':
      return 'the cursor is damaged: all there is is stored again, and each event is taken once'
    case 'segment_distrusted':
      return `segment ${notice.segment} could not be written: what it had is written again (${reasonOf(notice.error)})`
    case 'segment_displaced':
      return `segment ${notice.segment} was removed or renamed meanwhile: what it had is written again`
    case 'folder_taken_anew':
      return `${notice.folder} or its lock was removed or renamed meanwhile: it is taken anew`
    case 'write_failed':
      return `nothing can be written at the moment: ${reasonOf(notice.error)}`
    case 'unknown':
      return notice.events === 1
        ? '1 request that a process did not live to finish is recorded as unknown'
        : `${notice.events} requests that a process did not live to finish are recorded as unknown`
    case 'unknown_failed':
      return `not all requests that a process did not live to finish could be recorded: ${reasonOf(notice.error)}`
    case 'sweep_failed':
      return `stored segments could not be deleted: ${reasonOf(notice.error)}`
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
