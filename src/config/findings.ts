import { dotted, type KeyPath, originOf, type Place } from './place.ts'
import { type Complaint, problemAt } from './problem.ts'
import type { Resolution } from './resolve.ts'

/** Where the checks after the schema put what they find, and how they learn where a key was written. */
export interface Findings {
  problem(path: KeyPath, complaint: Complaint): void
  warn(path: KeyPath, text: string): void
  /** Whether somebody wrote the key; a default does not count. */
  isWritten(path: KeyPath): boolean
}

export function collectInto(run: Resolution): Findings {
  /** The place of the key, or of the nearest one around it that was written. */
  const placeOf = (path: KeyPath): Place => {
    const place = run.places.get(dotted(path))
    if (place !== undefined || path.length === 0) return place ?? { from: 'default' }
    return placeOf(path.slice(0, -1))
  }
  return {
    problem: (path, complaint) => void run.problems.push(problemAt(placeOf(path), path, complaint)),
    warn: (path, text) => void run.warnings.push(`${originOf(placeOf(path))}: ${dotted(path)} ${text}`),
    isWritten: path => (run.places.get(dotted(path)) ?? { from: 'default' }).from !== 'default',
  }
}
