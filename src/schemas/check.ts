import { Value } from '@sinclair/typebox/value'
import type { Static, TSchema } from './typebox.ts'

/** What came in from outside is not what the schema says; the message names the first field that is wrong. */
export class ShapeError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ShapeError'
  }
}

/** Untyped in, typed out, or a ShapeError. Nothing is converted and nothing is dropped. */
export function parseShape<Schema extends TSchema>(schema: Schema, value: unknown): Static<Schema> {
  if (Value.Check(schema, value)) return value
  const first = Value.Errors(schema, value).First()
  const field = first?.path.slice(1).replaceAll('/', '.') ?? ''
  throw new ShapeError(`${field === '' ? 'The request' : `"${field}"`} is wrong: ${first?.message ?? 'not understood'}`)
}
