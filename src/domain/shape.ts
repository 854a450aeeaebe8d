/**
 * Which keys an object may have, in depth, taken from its JSON Schema: what is not in it must not reach a backend. Asking
 * is cheap and allocates nothing; only an answer of no costs a copy.
 */

type Json = Record<string, unknown>

export type Shape =
  /** Anything goes: plain values, and objects whose keys are the caller's own (a tool's parameters). */
  | { readonly kind: 'free' }
  | { readonly kind: 'list'; readonly item: Shape }
  | { readonly kind: 'object'; readonly keys: ReadonlyMap<string, Shape> }
  /** The object's own `tag` says which of the shapes it has. */
  | { readonly kind: 'tagged'; readonly tag: string; readonly shapes: ReadonlyMap<unknown, Shape> }
  /** A value of one JSON type is judged by that type's shape; the others are plain. */
  | { readonly kind: 'either'; readonly list: Shape; readonly object: Shape }

const free: Shape = { kind: 'free' }

/** Builds the shape of a schema made of properties, items, tagged oneOf and anyOf. */
export function buildShape(schema: unknown): Shape {
  if (!isObject(schema)) return free
  const { discriminator, oneOf, anyOf, items, properties } = schema
  if (isObject(discriminator) && Array.isArray(oneOf)) {
    const tag = String(discriminator['propertyName'])
    return { kind: 'tagged', tag, shapes: new Map(oneOf.map(option => [constantOf(option, tag), buildShape(option)])) }
  }
  if (Array.isArray(anyOf)) return eitherOf(anyOf.map(buildShape))
  const list: Shape = items === undefined ? free : { kind: 'list', item: buildShape(items) }
  if (!isObject(properties)) return list
  const object: Shape = {
    kind: 'object',
    keys: new Map(Object.entries(properties).map(([key, value]) => [key, buildShape(value)])),
  }
  return list === free ? object : { kind: 'either', list, object }
}

function eitherOf(shapes: readonly Shape[]): Shape {
  const list = shapes.find(({ kind }) => kind === 'list') ?? free
  const object = shapes.find(({ kind }) => kind === 'object' || kind === 'tagged') ?? free
  return { kind: 'either', list, object }
}

function constantOf(schema: unknown, tag: string): unknown {
  const properties = isObject(schema) ? schema['properties'] : undefined
  const property = isObject(properties) ? properties[tag] : undefined
  return isObject(property) ? property['const'] : undefined
}

/** Whether the value has no key that its shape does not know. The value must have passed its schema. */
export function fits(shape: Shape, value: unknown): boolean {
  if (shape.kind === 'free' || typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) {
    const item = itemOf(shape)
    if (item.kind === 'free') return true
    for (const element of value) if (!fits(item, element)) return false
    return true
  }
  const keys = keysFor(shape, value as Json)
  if (keys === null) return true
  for (const key in value) {
    const inner = keys.get(key)
    if (inner === undefined || !fits(inner, (value as Json)[key])) return false
  }
  return true
}

/** A copy of the value with only the keys that its shape knows. */
export function trim(shape: Shape, value: unknown): unknown {
  if (shape.kind === 'free' || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const item = itemOf(shape)
    return value.map(element => trim(item, element))
  }
  const keys = keysFor(shape, value as Json)
  if (keys === null) return value
  const copy: Json = {}
  for (const [key, inner] of Object.entries(value)) {
    const known = keys.get(key)
    if (known !== undefined) copy[key] = trim(known, inner)
  }
  return copy
}

/** The shape of a list's elements. */
function itemOf(shape: Shape): Shape {
  const list = shape.kind === 'either' ? shape.list : shape
  return list.kind === 'list' ? list.item : free
}

/** The keys an object may have; null where any. */
function keysFor(shape: Shape, value: Json): ReadonlyMap<string, Shape> | null {
  switch (shape.kind) {
    case 'object':
      return shape.keys
    case 'tagged': {
      const chosen = shape.shapes.get(value[shape.tag])
      return chosen === undefined ? null : keysFor(chosen, value)
    }
    case 'either':
      return keysFor(shape.object, value)
    case 'list':
    case 'free':
      return null
  }
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
