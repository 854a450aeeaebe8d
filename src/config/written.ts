import { byDefault, type KeyPath, type Place } from './place.ts'

/** A value as somebody wrote it, with where: the common form of weir.yaml, environment, flags and defaults. */
export type Written =
  | { readonly kind: 'scalar'; readonly at: Place; readonly value: Scalar; readonly source: string }
  | { readonly kind: 'list'; readonly at: Place; readonly items: readonly Written[] }
  | { readonly kind: 'map'; readonly at: Place; readonly entries: ReadonlyMap<string, WrittenEntry> }
  /** The text of a secret from outside weir.yaml; inside it a secret is a map. */
  | { readonly kind: 'secret'; readonly at: Place; readonly text: string }

export type Scalar = string | number | boolean | null
export type WrittenMap = Extract<Written, { kind: 'map' }>

export interface WrittenEntry {
  readonly keyAt: Place
  readonly value: Written
}

export const emptyMap = (at: Place = byDefault): WrittenMap => ({ kind: 'map', at, entries: new Map() })

/** A plain value in the words of weir.yaml, such as a default of the schema, as if written at `at`. */
export function writtenFrom(value: unknown, at: Place): Written {
  if (Array.isArray(value)) return { kind: 'list', at, items: value.map(item => writtenFrom(item, at)) }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]): [string, WrittenEntry] => [
      key,
      { keyAt: at, value: writtenFrom(item, at) },
    ])
    return { kind: 'map', at, entries: new Map(entries) }
  }
  const scalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null
  return { kind: 'scalar', at, value: scalar, source: String(value) }
}

/**
 * The map with `value` at `path`, in place of what was there. Where something that is no map stands in the way it
 * stays, because the check against the schema is going to complain about it.
 */
export function withValueAt(map: WrittenMap, path: KeyPath, value: Written): WrittenMap {
  const [step, ...rest] = path
  if (typeof step !== 'string') return map
  const entry = map.entries.get(step)
  let inner = value
  if (rest.length > 0) {
    const below = isEmpty(entry?.value) ? emptyMap(entry?.value.at) : entry?.value
    if (below?.kind !== 'map') return map
    inner = withValueAt(below, rest, value)
  }
  return { ...map, entries: new Map(map.entries).set(step, { keyAt: entry?.keyAt ?? value.at, value: inner }) }
}

/** Whether nothing was written: no value, or a key with nothing after its colon. */
export function isEmpty(written: Written | undefined): boolean {
  return written === undefined || (written.kind === 'scalar' && written.value === null)
}
