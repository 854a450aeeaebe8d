import { type Static, Type } from './typebox.ts'

export const ModelCardSchema = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('model'),
    created: Type.Integer({ description: 'Seconds since 1970.' }),
    owned_by: Type.String(),
  },
  { $id: 'Model' },
)
export type ModelCard = Static<typeof ModelCardSchema>

export const ModelListSchema = Type.Object(
  {
    object: Type.Literal('list'),
    data: Type.Array(Type.Unsafe<ModelCard>({ $ref: 'Model#' })),
  },
  { $id: 'ModelList', description: 'The models the caller may use.' },
)
export type ModelList = Static<typeof ModelListSchema>
