import { dirname, resolve } from 'node:path'
import { nearest } from './nearest.ts'
import { dotted, type KeyPath, originOf, type Place } from './place.ts'
import { type Complaint, type Problem, problemAt } from './problem.ts'
import { checkScalar } from './scalars.ts'
import { configSchema, namedEntry, runtimeName, type SchemaNode, walkKeys } from './schema-node.ts'
import { readSecretFile, readSecretVariable, type SecretResult } from './secrets.ts'
import { emptyMap, isEmpty, type Written, type WrittenMap, writtenFrom } from './written.ts'

/** One pass over what was written: what it needs and what it finds out. */
export interface Resolution {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly problems: Problem[]
  readonly warnings: string[]
  /** Where each value that is there was written, by dotted key; also of maps and of items of lists. */
  readonly places: Map<string, Place>
  /** The same for values only, in words, defaults too. */
  readonly origins: Map<string, string>
}

/** A value, the schema it has to fit, and its key. */
interface Item {
  readonly schema: SchemaNode
  readonly written: Written
  readonly path: KeyPath
}

/**
 * Checks what was written against the schema, fills in defaults, and turns units and secrets into what the program
 * uses. Whatever does not fit becomes a problem and is left out, so that the rest is still checked.
 */
export function resolveConfig(tree: WrittenMap, run: Resolution): Record<string, unknown> {
  return resolveObject({ schema: configSchema, written: tree, path: [] }, run)
}

function complain(run: Resolution, at: Place, path: KeyPath, complaint: Complaint): undefined {
  run.problems.push(problemAt(at, path, complaint))
  return undefined
}

function resolveItem(item: Item, run: Resolution): unknown {
  const { schema, written, path } = item
  run.places.set(dotted(path), written.at)
  if (schema['x-weir-unit'] === 'secret') return resolveSecret(item, run)
  switch (schema.type) {
    case 'object':
      return resolveMap(item, run)
    case 'array':
      return resolveList(item, run)
    default:
      return resolveScalar(item, run)
  }
}

function resolveMap({ schema, written, path }: Item, run: Resolution): unknown {
  // A key with nothing after its colon is what stays behind when everything under it is commented out.
  const map = isEmpty(written) ? emptyMap(written.at) : written
  if (map.kind !== 'map') {
    const fix = `Write keys under it, each on its own line: ${Object.keys(schema.properties ?? {}).join(', ') || '<name>'}.`
    return complain(run, written.at, path, { problem: 'Keys with values are expected here.', fix })
  }
  const item = { schema, written: map, path }
  return schema.properties ? resolveObject(item, run) : resolveTable(item, run)
}

/** Fixed keys. */
function resolveObject({ schema, written, path }: Item & { written: WrittenMap }, run: Resolution) {
  const properties = schema.properties ?? {}
  for (const [key, { keyAt }] of written.entries) {
    if (!Object.hasOwn(properties, key)) complain(run, keyAt, [...path, key], unknownKey(key, schema))
  }
  const result: Record<string, unknown> = {}
  for (const [key, child] of Object.entries(properties)) {
    const keyPath = [...path, key]
    const given = written.entries.get(key)?.value
    if (given === undefined && child.default === undefined) {
      if (schema.required?.includes(key)) {
        const fix = `Add \`${key}\`: ${child.description ?? 'it has no default.'}`
        complain(run, written.at, keyPath, { problem: 'The key is missing.', fix })
      }
      continue
    }
    const value = given ?? writtenFrom(child.default, { from: 'default' })
    const resolved = resolveItem({ schema: child, written: value, path: keyPath }, run)
    if (resolved !== undefined) result[runtimeName(key, child)] = resolved
  }
  return result
}

/** Free names, each with the same under it. No prototype: callers' own words are looked up here. */
function resolveTable({ schema, written, path }: Item & { written: WrittenMap }, run: Resolution) {
  const result: Record<string, unknown> = Object.create(null)
  const entry = namedEntry(schema)
  if (entry === undefined) return result
  const [pattern, child] = entry
  if (written.entries.size === 0) run.origins.set(dotted(path), originOf(written.at))
  for (const [name, { keyAt, value }] of written.entries) {
    const keyPath = [...path, name]
    if (new RegExp(pattern, 'u').test(name)) {
      const resolved = resolveItem({ schema: child, written: value, path: keyPath }, run)
      // A name that is there is known to others, whatever is wrong with what stands under it.
      result[name] = resolved ?? {}
    } else {
      const fix = `Rename it: ${schema['x-weir-form'] ?? pattern}.`
      complain(run, keyAt, keyPath, { problem: 'This cannot be a name here.', fix })
    }
  }
  return result
}

function resolveList({ schema, written, path }: Item, run: Resolution): unknown {
  const list: Written = isEmpty(written) ? { kind: 'list', at: written.at, items: [] } : written
  if (list.kind !== 'list') {
    const fix = 'Write `[one, two]`, or each item on its own line after a hyphen.'
    return complain(run, written.at, path, { problem: 'A list is expected here.', fix })
  }
  if (list.items.length < (schema.minItems ?? 0)) {
    const complaint = { problem: 'The list is empty.', fix: 'Add at least one item, or remove the key.' }
    return complain(run, list.at, path, complaint)
  }
  const child = schema.items ?? {}
  if (child.type !== 'object') run.origins.set(dotted(path), originOf(list.at))
  const seen = new Set<unknown>()
  return list.items.flatMap((item, index) => {
    const itemPath = [...path, index]
    const resolved = resolveItem({ schema: child, written: item, path: itemPath }, run)
    if (schema.uniqueItems && resolved !== undefined && seen.has(resolved)) {
      complain(run, item.at, itemPath, { problem: 'The list already has this item.', fix: 'Remove it here.' })
    }
    seen.add(resolved)
    return resolved === undefined ? [] : [resolved]
  })
}

function resolveScalar({ schema, written, path }: Item, run: Resolution): unknown {
  if (typeof path.at(-1) !== 'number') run.origins.set(dotted(path), originOf(written.at))
  const result = checkScalar(schema, written)
  if (result.kind === 'complaint') return complain(run, written.at, path, result.complaint)
  if (schema['x-weir-unit'] !== 'path') return result.value
  // What a file names lies beside the file; what a flag or variable names, where the program was started.
  return resolve(written.at.from === 'file' ? fileDir(written.at, run) : run.cwd, String(result.value))
}

function resolveSecret({ written, path }: Item, run: Resolution): unknown {
  const key = dotted(path)
  if (written.kind === 'secret') {
    run.origins.set(key, originOf(written.at))
    return written.text
  }
  const [[source, entry] = [], ...others] = written.kind === 'map' ? written.entries : []
  const name = entry?.value.kind === 'scalar' && typeof entry.value.value === 'string' ? entry.value.value : ''
  const isVariable = source === 'env' && /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)
  if (others.length > 0 || name === '' || (source !== 'file' && !isVariable)) {
    return complain(run, written.at, path, {
      problem: 'A secret does not stand in this file, only where to find it.',
      fix: 'Write `{ env: NAME }` or `{ file: PATH }`; change the secret if it has been in the file.',
    })
  }
  run.origins.set(key, `${originOf(written.at)} (${isVariable ? `environment ${name}` : `file ${name}`})`)
  const result: SecretResult = isVariable
    ? readSecretVariable(name, run.env)
    : readSecretFile(name, fileDir(written.at, run))
  return result.kind === 'text' ? result.text : complain(run, written.at, path, result.complaint)
}

const fileDir = (at: Place, run: Resolution) => (at.from === 'file' ? dirname(resolve(run.cwd, at.file)) : run.cwd)

function unknownKey(key: string, schema: SchemaNode): Complaint {
  const problem = 'There is no such key.'
  const known = Object.keys(schema.properties ?? {})
  const near = nearest(key, known)
  if (near !== undefined) return { problem, fix: `Did you mean "${near}"?` }
  const elsewhere = [...walkKeys(configSchema)].find(([path]) => path.at(-1) === key)
  if (elsewhere) return { problem, fix: `It belongs elsewhere: ${elsewhere[0].join('.').replaceAll('*', '<name>')}.` }
  return { problem, fix: `Known keys here: ${known.join(', ')}.` }
}
