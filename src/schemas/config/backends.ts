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

const BreakerSchema = Type.Object(
  {
    window: Type.Integer({ minimum: 1, maximum: 10_000, default: 10, description: 'Of so many last requests.' }),
    least: Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: 5,
      description: 'It stays closed before so many have been seen; at most `window`.',
    }),
    failurePercent: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 50,
      description: 'It opens where at least this part of them failed.',
    }),
    pause: DurationSchema({
      description: 'How long nobody is let in; doubled each time that the one who then tries fails too.',
      default: '1s',
    }),
    maxPause: DurationSchema({ description: 'The longest pause.', default: '30s' }),
  },
  { additionalProperties: false, default: {}, description: 'When requests are kept away from a failing server.' },
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
        description:
          'Requests it runs at once; asked of llama-server when absent, one until it has said it; without bound for others.',
      }),
    ),
    drain: Type.Boolean({
      default: false,
      description: 'Give it no new requests; what runs is finished.',
    }),
    discover: Type.Boolean({
      default: false,
      description: 'Offer every model that its /v1/models lists, besides those under `models`.',
    }),
    timeouts: TimeoutsSchema,
    breaker: BreakerSchema,
  },
  { additionalProperties: false, description: 'One inference server.' },
)
export type BackendFile = Static<typeof BackendSchema>
