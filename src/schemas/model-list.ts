import { Type } from './typebox.ts'

const modelFields = {
  id: Type.String(),
  object: Type.Literal('model'),
  created: Type.Integer({ description: 'Unix seconds.' }),
  owned_by: Type.String(),
}

export const ModelObjectSchema = Type.Object(modelFields, { title: 'Model' })

export const ModelListSchema = Type.Object(
  { object: Type.Literal('list'), data: Type.Array(ModelObjectSchema) },
  { title: 'ModelList' },
)
