import { setPriority } from 'node:os'

const first = -15

/**
 * What is measured, and whoever measures it, need not wait for a core while databases and backends of the test have it: in
 * production these have their own. Where only root may say so, it stays as it is.
 */
export function goFirst(...pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      setPriority(pid, first)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SYSTEM_ERROR')) throw error
    }
  }
}
