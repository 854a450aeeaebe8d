import { NullableText, nameOfFunction, OneOfTexts, TaggedUnion } from './fields.ts'
import { type Static, type TSchema, Type } from './typebox.ts'

const TextPartSchema = Type.Object({ type: Type.Literal('text'), text: Type.String() })

const RefusalPartSchema = Type.Object({ type: Type.Literal('refusal'), refusal: Type.String() })

const ImagePartSchema = Type.Object({
  type: Type.Literal('image_url'),
  image_url: Type.Object({
    url: Type.String({ minLength: 1, description: 'A `data:` URL of a PNG, JPEG, WebP or GIF in base64.' }),
    detail: Type.Optional(OneOfTexts(['auto', 'low', 'high', 'original'])),
  }),
})

const AudioPartSchema = Type.Object({
  type: Type.Literal('input_audio'),
  input_audio: Type.Object({
    // Only the beginning is looked at: enough to tell base64 from a URL, whatever the length.
    data: Type.String({ pattern: '^[A-Za-z0-9+/]{16}', 'x-expects': 'base64' }),
    format: OneOfTexts(['wav', 'mp3']),
  }),
})

type TextPart = Static<typeof TextPartSchema>
export type ContentPart = TextPart | Static<typeof ImagePartSchema> | Static<typeof AudioPartSchema>
type AssistantPart = TextPart | Static<typeof RefusalPartSchema>

const maxParts = 2048

/** A string or parts: one check of `type` instead of a union, because nearly all content is a string. */
const Content = <Part>(part: TSchema) =>
  Type.Unsafe<string | Part[]>({ type: ['string', 'array'], minItems: 1, maxItems: maxParts, items: part })

const TextContentSchema = Content<TextPart>(TextPartSchema)

const nameField = Type.Optional(NullableText({ maxLength: 256 }))

const FunctionCallSchema = Type.Object({
  name: Type.String(nameOfFunction),
  arguments: Type.String({ description: 'JSON, as the model wrote it: perhaps not valid.' }),
})

const ToolCallSchema = Type.Object({
  id: Type.String({ maxLength: 256 }),
  type: Type.Literal('function'),
  function: FunctionCallSchema,
})

const instruction = <const Role extends 'system' | 'developer'>(role: Role) =>
  Type.Object({ role: Type.Literal(role), content: TextContentSchema, name: nameField })

const UserMessageSchema = Type.Object({
  role: Type.Literal('user'),
  content: Content<ContentPart>(
    TaggedUnion('type', { TextPart: TextPartSchema, ImagePart: ImagePartSchema, AudioPart: AudioPartSchema }),
  ),
  name: nameField,
})

/** Also what the SDKs hand back of an answer, with its nulls and empty lists. */
const AssistantMessageSchema = Type.Object({
  role: Type.Literal('assistant'),
  content: Type.Optional(
    Type.Unsafe<string | AssistantPart[] | null>({
      type: ['string', 'array', 'null'],
      minItems: 1,
      maxItems: maxParts,
      items: TaggedUnion('type', { TextPart: TextPartSchema, RefusalPart: RefusalPartSchema }),
    }),
  ),
  name: nameField,
  reasoning_content: Type.Optional(NullableText({ description: 'The reasoning of an earlier answer.' })),
  refusal: Type.Optional(NullableText({})),
  tool_calls: Type.Optional(
    Type.Unsafe<Static<typeof ToolCallSchema>[] | null>({
      type: ['array', 'null'],
      maxItems: 512,
      items: ToolCallSchema,
    }),
  ),
  function_call: Type.Optional(
    Type.Unsafe<Static<typeof FunctionCallSchema> | null>({ ...FunctionCallSchema, type: ['object', 'null'] }),
  ),
  annotations: Type.Optional(
    Type.Unsafe<object[] | null>({ type: ['array', 'null'], maxItems: 1024, items: { type: 'object' } }),
  ),
  audio: Type.Optional(Type.Unsafe<object | null>({ type: ['object', 'null'] })),
})

const ToolMessageSchema = Type.Object({
  role: Type.Literal('tool'),
  content: TextContentSchema,
  tool_call_id: Type.String({ maxLength: 256 }),
  name: nameField,
})

const FunctionMessageSchema = Type.Object({
  role: Type.Literal('function'),
  content: NullableText({}),
  name: Type.String(nameOfFunction),
})

const SystemMessageSchema = instruction('system')
const DeveloperMessageSchema = instruction('developer')

export type ChatMessage =
  | Static<typeof SystemMessageSchema>
  | Static<typeof DeveloperMessageSchema>
  | Static<typeof UserMessageSchema>
  | Static<typeof AssistantMessageSchema>
  | Static<typeof ToolMessageSchema>
  | Static<typeof FunctionMessageSchema>

export const ChatMessageSchema = TaggedUnion<ChatMessage>('role', {
  SystemMessage: SystemMessageSchema,
  DeveloperMessage: DeveloperMessageSchema,
  UserMessage: UserMessageSchema,
  AssistantMessage: AssistantMessageSchema,
  ToolMessage: ToolMessageSchema,
  FunctionMessage: FunctionMessageSchema,
})
