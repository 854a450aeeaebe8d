/** RFC 6902 as far as patches of manifests use it. */

export interface JsonOperation {
  readonly op: string
  readonly path: string
  readonly value?: unknown
}

/** A copy with all of them done, in order. Throws where a path leads nowhere. */
export function patched<Value extends object>(value: Value, operations: readonly JsonOperation[]): Value {
  const copy = structuredClone(value)
  for (const operation of operations) apply(copy, operation)
  return copy
}

function apply(whole: object, { op, path, value }: JsonOperation): void {
  const [start, ...names] = path.split('/').map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = names.pop()
  if (start !== '' || last === undefined) throw new Error(`${path} is no path into a manifest`)
  const parent = names.reduce<unknown>((at, name) => (isObject(at) ? Reflect.get(at, name) : undefined), whole)
  if (!isObject(parent)) throw new Error(`${path} leads nowhere`)
  const isThere = Object.hasOwn(parent, last)
  if (op === 'replace' && isThere) Reflect.set(parent, last, value)
  else if (op === 'add' && !Array.isArray(parent)) Reflect.set(parent, last, value)
  else throw new Error(`${op} ${path}: ${isThere || op === 'add' ? 'teach this reader' : 'there is nothing'}`)
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
