/** Which keys of weir.yaml two configurations differ in: names without values, so that no secret is among them. */
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config.ts'
import { dotted, type KeyPath } from './place.ts'
import { childrenOf } from './report.ts'
import { configSchema, type SchemaNode } from './schema-node.ts'

/**
 * Keys as weir.yaml writes them, in the order of the schema. What only one of the two has in a table is one key
 * (`models.qwen3-8b`), and a list is one value.
 */
export function changedKeys(before: Config, after: Config): string[] {
  return [...differences(configSchema, [], [before, after])]
}

type Pair = readonly [before: unknown, after: unknown]

function* differences(schema: SchemaNode, path: KeyPath, [before, after]: Pair): Generator<string> {
  if (isDeepStrictEqual(before, after)) return
  const isLeaf = schema.type !== 'object' || schema['x-weir-unit'] === 'secret'
  if (isLeaf || before === undefined || after === undefined) {
    yield dotted(path)
    return
  }
  const left = new Map(childrenOf(schema, before, path).map(child => [child.name, child]))
  const right = new Map(childrenOf(schema, after, path).map(child => [child.name, child]))
  for (const [name, child] of new Map([...left, ...right])) {
    yield* differences(child.schema, child.path, [left.get(name)?.value, right.get(name)?.value])
  }
}
