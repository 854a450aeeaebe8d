import { hash } from 'node:crypto'

/** Whether what has this id is among the share, from 0 to 1, that is looked at: the same wherever it is asked. */
export function isSampled(id: string, share: number): boolean {
  if (share >= 1) return true
  if (share <= 0) return false
  return hash('sha256', id, 'buffer').readUIntBE(0, 6) < share * 2 ** 48
}
