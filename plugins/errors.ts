import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { internalMessage } from '../src/backend/fault.ts'
import { headFault } from '../src/domain/request-head.ts'
import { type ErrorName, WeirError } from '../src/errors.ts'
import { listenerConstraint } from './internal-listener.ts'
import { beginRequest, noteError, processingMs } from './usage.ts'

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
  '/v1/v1/chat/completions': 'Did you mean /v1/chat/completions? The base URL of your SDK has /v1 twice.',
  '/v1/responses': 'The Responses API is not supported yet; use /v1/chat/completions.',
  '/v1/messages': 'The Messages API is not supported yet; use /v1/chat/completions.',
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

export default fp(
  async (app: FastifyInstance) => {
    // Not at onRequest: there it would come before the request has its id and is noted down.
    app.addHook('preParsing', (request, _reply, _payload, done) => {
      const fault = headFault(request.raw)
      done(fault === undefined ? undefined : new WeirError('invalidRequest', fault))
    })
    // An expectation that nobody knows may be ignored (RFC 9110 §10.1.1); Node would answer 417 without a body.
    app.server.on('checkExpectation', (request, response) => app.routing(request, response))
    app.setErrorHandler((error: FastifyError | WeirError, request, reply) => {
      const known = toKnownError(error)
      if (known.statusCode >= 500) request.log.error({ err: known.cause ?? error }, known.message)
      noteError(request, known)
      return sendError(reply, known)
    })
    app.setNotFoundHandler((request, reply) => sendError(reply, notFoundError(app, request, reply)))
  },
  { name: 'errors' },
)

/** Answers with this error, in OpenAI's shape and with its retry headers. */
function sendError(reply: FastifyReply, error: WeirError): FastifyReply {
  reply.request.error = error.kind
  return reply
    .code(error.statusCode)
    .headers(error.headers)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(error.body))
}

/** Answers what Fastify refuses before it looks for a route, past all hooks: a URL that cannot be decoded, above all. */
export function answerFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  beginRequest(request, reply)
  void sendError(reply.header('openai-processing-ms', processingMs(request)), toKnownError(error))
}

function toKnownError(error: FastifyError | WeirError): WeirError {
  if (error instanceof WeirError) return error
  const known = fastifyErrors[error.code]
  if (known !== undefined) return new WeirError(known.kind, known.message, { cause: error })
  const status = error.statusCode ?? 500
  if (status >= 400 && status < 500)
    return new WeirError('invalidRequest', 'The request is not valid HTTP for this server.', { cause: error })
  return new WeirError('internal', internalMessage, { cause: error })
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
  return new WeirError('notFound', 'There is nothing at this URL. The API is under /v1; GET / says where else to look.')
}

/** The methods that are served at this path, on the listener that was asked. */
function methodsOf(app: FastifyInstance, request: FastifyRequest, url: string): string {
  const constraints = listenerConstraint(request)
  return methods.filter(method => app.findRoute({ method, url, constraints }) !== null).join(', ')
}

/** Answers what is not even HTTP, in OpenAI's shape all the same; nothing of it reaches a route. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || hasBegunAnswer(socket)) {
    socket.destroy()
    return
  }
  const answer = clientError(error.code)
  const body = JSON.stringify(answer.body)
  const head = [
    `HTTP/1.1 ${answer.statusCode} ${STATUS_CODES[answer.statusCode]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Behind the head of an answer a second one would be read as a part of its body, or as the answer to another request. */
function hasBegunAnswer(socket: Socket): boolean {
  // Node's own handler looks here too; there is no public way to the response that a socket is busy with.
  const { _httpMessage: response } = socket as { _httpMessage?: ServerResponse | null }
  return response?.headersSent === true
}

function clientError(code: string | undefined): WeirError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new WeirError('headersTooLarge', 'The request headers are larger than 16 KiB.')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new WeirError('requestTimeout', 'The request took too long to arrive.')
  return new WeirError('invalidRequest', 'This is not a well-formed HTTP/1.1 request.')
}
