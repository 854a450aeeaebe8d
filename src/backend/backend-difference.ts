import { isDeepStrictEqual } from 'node:util'
import type { BackendConfig } from './backend.ts'

/** Names of backends, each in one of four lists; but one whose URL is another is gone and new. */
export interface BackendDifference {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** The same server, with other settings. */
  readonly changed: readonly string[]
  readonly kept: readonly string[]
}

type BackendConfigs = Readonly<Record<string, BackendConfig>>

/** What became of the backends of a configuration, in the order of `after`, and of `before` for those that are gone. */
export function diffBackends(before: BackendConfigs, after: BackendConfigs): BackendDifference {
  const names = Object.keys(after)
  const hasSame = (name: string) => Object.hasOwn(before, name) && before[name]?.url === after[name]?.url
  const isAlike = (name: string) => isDeepStrictEqual(before[name], after[name])
  return {
    added: names.filter(name => !hasSame(name)),
    removed: Object.keys(before).filter(name => !(Object.hasOwn(after, name) && hasSame(name))),
    changed: names.filter(name => hasSame(name) && !isAlike(name)),
    kept: names.filter(name => hasSame(name) && isAlike(name)),
  }
}
