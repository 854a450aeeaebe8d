import { type Static, type TSchema, Type } from './typebox.ts'

/** Refers to a shared schema by its `$id`, so that OpenAPI lists it once by name; the type stays the schema's own. */
export function Ref<Schema extends TSchema>(schema: Schema) {
  if (schema.$id === undefined) throw new Error('Only a schema with an $id can be referred to.')
  return Type.Unsafe<Static<Schema>>({ $ref: `${schema.$id}#` })
}
