import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { finishDocument } from '../src/schemas/openapi-document.ts'

/** Collects the document from the routes' schemas; registered before any route. */
export default fp(
  async (app: FastifyInstance, { version }: { readonly version: string }) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Weir',
          version,
          description: 'An OpenAI-compatible API in front of your own inference servers.',
          license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
        },
        servers: [{ url: '/' }],
        security: [{ bearer: [] }, { apiKey: [] }],
        tags: [
          { name: 'Inference', description: 'What the models do.' },
          { name: 'Models', description: 'Which models there are.' },
          { name: 'Usage', description: 'What is left of the limits.' },
          { name: 'Authentication', description: 'Who is calling.' },
          { name: 'Administration', description: 'Accounts, their keys, and who changed them; for the scope `admin`.' },
          { name: 'Health', description: 'For probes and monitors.' },
          { name: 'Operations', description: 'For those who run it.' },
        ],
        components: {
          securitySchemes: {
            bearer: {
              type: 'http',
              scheme: 'bearer',
              description: 'An API key, as the OpenAI SDKs send it, or a JWT.',
            },
            apiKey: {
              type: 'apiKey',
              in: 'header',
              name: 'x-api-key',
              description: 'The same, in a header of its own.',
            },
          },
        },
      },
      // OpenAPI 3.1 knows `const`.
      convertConstToEnum: false,
      transformObject: document =>
        finishDocument('openapiObject' in document ? document.openapiObject : document.swaggerObject),
    })
  },
  { name: 'openapi' },
)
