import fastifyCors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** The headers of ours that a page may read. */
const exposed = [
  'x-request-id',
  'openai-processing-ms',
  'x-ratelimit-limit-requests',
  'x-ratelimit-limit-tokens',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-remaining-tokens',
  'x-ratelimit-reset-requests',
  'x-ratelimit-reset-tokens',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'x-weir-ignored-fields',
  'x-weir-cost',
  'x-weir-cache',
  'x-weir-cache-key',
  'x-weir-cache-similarity',
  'x-weir-cached-inputs',
  'age',
  'x-next-cursor',
]

/** Off unless origins are configured: an API with keys has no business in every page. */
export default fp(
  async (app: FastifyInstance, { origins }: { readonly origins: readonly string[] }) => {
    if (origins.length === 0) return
    await app.register(fastifyCors, {
      origin: origins.includes('*') ? '*' : [...origins],
      methods: ['GET', 'POST'],
      exposedHeaders: exposed,
      maxAge: 600,
      // An OPTIONS that is no preflight is answered like one; the library's refusal would be plain text.
      strictPreflight: false,
    })
  },
  { name: 'cors' },
)
