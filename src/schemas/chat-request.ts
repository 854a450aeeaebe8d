import { type ChatMessage, ChatMessageSchema } from './chat-message.ts'
import { NullableBoolean, NullableInteger, NullableOneOfTexts } from './fields.ts'
import { chatExamples } from './request-examples.ts'
import { maxOutputTokensBound, metadataField, samplingFields, shortTextField } from './sampling.ts'
import { ResponseFormatSchema, ToolChoiceSchema, ToolSchema } from './tool.ts'
import { type Static, Type } from './typebox.ts'

/** Template variables that the engine sets itself: a caller who set them would write the prompt behind our back. */
const reservedTemplateVariables = [
  'add_generation_prompt',
  'bos_token',
  'chat_template',
  'continue_final_message',
  'conversation',
  'documents',
  'eos_token',
  'functions',
  'messages',
  'return_dict',
  'tokenize',
  'tools',
]

const chatTemplateKwargsField = Type.Optional(
  Type.Unsafe<Record<string, string | number | boolean | null> | null>({
    type: ['object', 'null'],
    maxProperties: 32,
    propertyNames: {
      pattern: '^[A-Za-z_][A-Za-z0-9_]{0,63}$',
      not: { enum: reservedTemplateVariables },
      'x-expects': 'a variable that the engine does not set itself',
    },
    additionalProperties: { type: ['string', 'number', 'boolean', 'null'], maxLength: 1024 },
    description: "Variables of the model's chat template, such as `enable_thinking`.",
  }),
)

const Accepted = (type: readonly string[]) => Type.Optional(Type.Unsafe<unknown>({ type, description: notForwarded }))
const notForwarded = 'Accepted, not forwarded.'

export const ChatRequestSchema = Type.Object(
  {
    ...samplingFields,
    messages: Type.Unsafe<ChatMessage[]>({ type: 'array', minItems: 1, maxItems: 10_000, items: ChatMessageSchema }),
    max_completion_tokens: Type.Optional(
      NullableInteger(1, maxOutputTokensBound, 'The most tokens an answer may have; stands before `max_tokens`.'),
    ),
    tools: Type.Optional(Type.Array(ToolSchema, { maxItems: 1024 })),
    tool_choice: Type.Optional(ToolChoiceSchema),
    parallel_tool_calls: Type.Optional(Type.Boolean()),
    response_format: Type.Optional(ResponseFormatSchema),
    logprobs: Type.Optional(NullableBoolean('Give the log probabilities of the tokens.')),
    top_logprobs: Type.Optional(NullableInteger(0, 20, 'Of how many alternatives; needs `logprobs: true`.')),
    reasoning_effort: Type.Optional(
      NullableOneOfTexts(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'], {
        description: 'How much a reasoning model thinks.',
      }),
    ),
    chat_template_kwargs: chatTemplateKwargsField,
    // What OpenAI defines and no engine serves.
    metadata: metadataField,
    safety_identifier: shortTextField,
    prompt_cache_key: shortTextField,
    prompt_cache_retention: shortTextField,
    prompt_cache_options: Accepted(['object', 'null']),
    service_tier: shortTextField,
    store: Type.Optional(NullableBoolean(notForwarded)),
    verbosity: Type.Optional(NullableOneOfTexts(['low', 'medium', 'high'], { description: notForwarded })),
    modalities: Type.Optional(
      Type.Unsafe<'text'[] | null>({
        type: ['array', 'null'],
        maxItems: 2,
        items: { type: 'string', enum: ['text'] },
        description: 'Only text is answered.',
      }),
    ),
    audio: Accepted(['object', 'null']),
    moderation: Accepted(['object', 'null']),
    prediction: Accepted(['object', 'null']),
    web_search_options: Accepted(['object', 'null']),
  },
  { title: 'ChatRequest', examples: chatExamples },
)
export type ChatRequest = Static<typeof ChatRequestSchema>
