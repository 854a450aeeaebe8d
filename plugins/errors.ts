import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { type ErrorName, WeirError } from '../src/errors.ts'
import { listenerConstraint } from './internal-listener.ts'

/** Fastify's own errors that a caller can cause, and what they are in our catalogue. */
const fastifyErrors: Record<string, { kind: ErrorName; message: string }> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    kind: 'requestTooLarge',
    message: 'The request body is larger than this server accepts.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    kind: 'unsupportedMediaType',
    message: 'Send the body as Content-Type: application/json.',
  },
  FST_ERR_CTP_EMPTY_JSON_BODY: { kind: 'invalidRequest', message: 'The request body is empty; send a JSON object.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    kind: 'invalidRequest',
    message: 'The body is not as long as its Content-Length says.',
  },
  FST_ERR_BAD_URL: { kind: 'invalidRequest', message: 'The URL is not well formed.' },
  FST_ERR_MAX_PARAM_LENGTH: { kind: 'notFound', message: 'There is nothing at this URL.' },
}

/** Paths that other servers have, and where it is here. */
const hints: Record<string, string> = {
  '/chat/completions': 'Did you mean /v1/chat/completions? Set the base URL of your SDK to end in /v1.',
  '/completions': 'Did you mean /v1/completions? Set the base URL of your SDK to end in /v1.',
  '/embeddings': 'Did you mean /v1/embeddings? Set the base URL of your SDK to end in /v1.',
  '/models': 'Did you mean /v1/models? Set the base URL of your SDK to end in /v1.',
  '/v1/responses': 'The Responses API is not supported yet; use /v1/chat/completions.',
  '/v1/messages': 'The Messages API is not supported yet; use /v1/chat/completions.',
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

export default fp(
  async (app: FastifyInstance) => {
    app.setErrorHandler((error: FastifyError | WeirError, request, reply) => {
      const known = toKnownError(error)
      if (known.statusCode >= 500) request.log.error({ err: known.cause ?? error }, known.message)
      return sendError(reply, known)
    })
    app.setNotFoundHandler((request, reply) => sendError(reply, notFoundError(app, request, reply)))
  },
  { name: 'errors' },
)

/** Answers with this error, in OpenAI's shape and with its retry headers. */
export function sendError(reply: FastifyReply, error: WeirError): FastifyReply {
  return reply
    .code(error.statusCode)
    .headers(error.headers)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(error.body))
}

function toKnownError(error: FastifyError | WeirError): WeirError {
  if (error instanceof WeirError) return error
  const known = fastifyErrors[error.code]
  if (known !== undefined) return new WeirError(known.kind, known.message, { cause: error })
  const status = error.statusCode ?? 500
  if (status >= 400 && status < 500)
    return new WeirError('invalidRequest', 'The request is not valid HTTP for this server.', { cause: error })
  return new WeirError('internal', 'Something went wrong on our side. The request id is in x-request-id.', {
    cause: error,
  })
}

function notFoundError(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply): WeirError {
  const path = request.url.split('?', 1)[0] ?? ''
  const hint = hints[path.replace(/\/+$/, '')]
  if (hint !== undefined) return new WeirError('notFound', hint)
  const allowed = methodsOf(app, request, path)
  if (allowed !== '') {
    reply.header('allow', allowed)
    return new WeirError('methodNotAllowed', `This URL does not take ${request.method}; it takes ${allowed}.`)
  }
  return new WeirError('notFound', 'There is nothing at this URL. The API is under /v1; see /openapi.json.')
}

/** The methods that are served at this path, on the listener that was asked. */
function methodsOf(app: FastifyInstance, request: FastifyRequest, url: string): string {
  const constraints = listenerConstraint(request)
  return methods.filter(method => app.findRoute({ method, url, constraints }) !== null).join(', ')
}
