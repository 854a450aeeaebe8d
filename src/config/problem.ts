import { dotted, type KeyPath, originOf, type Place } from './place.ts'

/** One thing that is wrong with the configuration. No field ever holds the text of a secret. */
export interface Problem {
  /** `weir.yaml:12:3`, `flag --port`, `environment PORT` or `default`. */
  readonly where: string
  /** The file as it was named on the command line or in the environment; null for a flag or a variable. */
  readonly file: string | null
  /** Counted from 1; null where no file is meant. */
  readonly line: number | null
  readonly column: number | null
  /** The key in the words of weir.yaml, such as `server.maxBody`; empty where no key is meant. */
  readonly key: string
  /** What is wrong. */
  readonly problem: string
  /** What to do about it. */
  readonly fix: string
}

/** What is wrong and what to do about it, before it has a place. */
export interface Complaint {
  readonly problem: string
  readonly fix: string
}

export function problemAt(place: Place, path: KeyPath, { problem, fix }: Complaint): Problem {
  const key = dotted(path)
  if (place.from !== 'file') {
    return { where: originOf(place), file: null, line: null, column: null, key, problem, fix }
  }
  const { file, line, column } = place
  return { where: `${file}:${line}:${column}`, file, line, column, key, problem, fix }
}

/** What is wrong with a file as a whole, or with a key of it whose line is not known any more. */
export function problemIn(file: string, path: KeyPath, { problem, fix }: Complaint): Problem {
  return { where: file, file, line: null, column: null, key: dotted(path), problem, fix }
}

/** The configuration cannot be used; `problems` has everything that was found, not only the first. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(problems.map(describeProblem).join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** Two lines: place, key and what is wrong; then the fix. */
export function describeProblem({ where, key, problem, fix }: Problem): string {
  return `${where}${key === '' ? '' : ` ${key}`}: ${problem}\n  ${fix}`
}
