import { NullableBoolean, nameOfFunction, OneOfTexts, TaggedUnion } from './fields.ts'
import { type Static, Type } from './typebox.ts'

/** JSON Schema, as free as the engine takes it; only its size is bounded, by the body's bounds. */
const FreeObjectSchema = Type.Unsafe<Record<string, unknown>>({ type: 'object' })

const FunctionToolSchema = Type.Object({
  type: Type.Literal('function'),
  function: Type.Object({
    name: Type.String(nameOfFunction),
    description: Type.Optional(Type.String()),
    parameters: Type.Optional(FreeObjectSchema),
    strict: Type.Optional(NullableBoolean('Hold the arguments to the schema.')),
  }),
})
export type Tool = Static<typeof FunctionToolSchema>

/** A union of one: so that another type is told which there are. */
export const ToolSchema = TaggedUnion<Tool>('type', { FunctionTool: FunctionToolSchema })

const NamedToolSchema = Type.Object({
  type: Type.Literal('function'),
  function: Type.Object({ name: Type.String(nameOfFunction) }),
})

const AllowedToolsSchema = Type.Object({
  type: Type.Literal('allowed_tools'),
  allowed_tools: Type.Object({
    mode: OneOfTexts(['auto', 'required']),
    tools: Type.Array(NamedToolSchema, { minItems: 1, maxItems: 1024 }),
  }),
})

const toolChoiceModes = ['none', 'auto', 'required'] as const

export type NamedTool = Static<typeof NamedToolSchema>
export type ToolChoice = (typeof toolChoiceModes)[number] | NamedTool | Static<typeof AllowedToolsSchema>

export const ToolChoiceSchema = Type.Unsafe<ToolChoice>({
  anyOf: [
    OneOfTexts(toolChoiceModes),
    TaggedUnion('type', { NamedTool: NamedToolSchema, AllowedTools: AllowedToolsSchema }),
  ],
  description: 'Whether and which tools the model calls.',
})

const TextFormatSchema = Type.Object({ type: Type.Literal('text') })
const JsonObjectFormatSchema = Type.Object({ type: Type.Literal('json_object') })
const JsonSchemaFormatSchema = Type.Object({
  type: Type.Literal('json_schema'),
  json_schema: Type.Object({
    name: Type.String(nameOfFunction),
    description: Type.Optional(Type.String()),
    schema: Type.Optional(FreeObjectSchema),
    strict: Type.Optional(NullableBoolean('Hold the answer to the schema.')),
  }),
})

export type ResponseFormat =
  | Static<typeof TextFormatSchema>
  | Static<typeof JsonObjectFormatSchema>
  | Static<typeof JsonSchemaFormatSchema>

export const ResponseFormatSchema = TaggedUnion<ResponseFormat>('type', {
  TextFormat: TextFormatSchema,
  JsonObjectFormat: JsonObjectFormatSchema,
  JsonSchemaFormat: JsonSchemaFormatSchema,
})
