import { type Static, Type } from '../typebox.ts'
import { DurationSchema, SecretSchema } from './units.ts'

export const engineNames = ['auto', 'llama-server', 'vllm', 'ollama', 'openai'] as const

const TimeoutsSchema = Type.Object(
  {
    connect: DurationSchema({ description: 'To open a connection.', default: '2s', 'x-weir-most': '5m' }),
    firstToken: DurationSchema({ description: 'From sending the request to the first content.', default: '120s' }),
    idle: DurationSchema({ description: 'Between two pieces of a stream.', default: '60s' }),
    total: DurationSchema({ description: 'For one whole answer.', default: '30m' }),
  },
  { additionalProperties: false, default: {}, description: 'How long each phase of one attempt may take.' },
)

export const BackendSchema = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://[^\\s/?#]+(/[^\\s?#]*)?$',
      maxLength: 2048,
      'x-weir-unit': 'url',
      description: 'Where the server listens, without /v1 at the end.',
      examples: ['http://127.0.0.1:8080'],
    }),
    engine: Type.Unsafe<(typeof engineNames)[number]>(
      Type.String({
        enum: [...engineNames],
        default: 'auto',
        description: 'What the server is; auto finds out by asking it.',
      }),
    ),
    apiKey: Type.Optional(SecretSchema({ description: 'Sent to the backend as a bearer token.' })),
    slots: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65_536,
        description: 'Requests it runs at once; asked of llama-server when absent.',
        pending: 'admission',
      }),
    ),
    discover: Type.Boolean({
      default: false,
      description: 'Offer every model that its /v1/models lists, besides those under `models`.',
    }),
    timeouts: TimeoutsSchema,
  },
  { additionalProperties: false, description: 'One inference server.' },
)
export type BackendFile = Static<typeof BackendSchema>
