import { Type } from '../typebox.ts'
import { SecretSchema } from './units.ts'

export const WebhookSchema = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://[^\\s/?#]+(/[^\\s?#]*)?(\\?[^\\s#]*)?$',
      maxLength: 2048,
      'x-weir-unit': 'hook-url',
      description: 'Where events are posted to.',
      examples: ['https://billing.example.com/weir'],
    }),
    secret: SecretSchema({ description: 'Signs what is posted: at least 32 characters, the same at the other end.' }),
    thresholds: Type.Array(Type.Integer({ minimum: 1, maximum: 100, description: 'Percent of a limit.' }), {
      default: [50, 80, 100],
      minItems: 1,
      uniqueItems: true,
      description: 'At how many percent of a quota or spend limit it is told, once a period each.',
    }),
  },
  { additionalProperties: false, description: 'One receiver of events.' },
)
