import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify'
import fp from 'fastify-plugin'
import { type ParsedBody, parseBody, parseLargeBody, type ScannedBody } from '../src/domain/body-parse.ts'
import { WeirError } from '../src/errors.ts'
import { buildValidators } from '../src/schemas/validators.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The body's bytes and the places of its fields; undefined for a request without a body. */
    scannedBody: ScannedBody | undefined
  }
}

export interface BodyOptions {
  /** Larger bodies are answered 413. */
  readonly maxBodyBytes: number
}

/** From this size on a body's parsing gives way to others between its steps; below it takes about a millisecond. */
const largeBodyBytes = 128 * 1024

/**
 * Everything between a request's bytes and `request.body`: which media types are taken, how large and how deep a body
 * may be, and the validators of the routes' schemas. `request.scannedBody` keeps the bytes beside the parsed value.
 */
async function body(app: FastifyInstance, { maxBodyBytes }: BodyOptions): Promise<void> {
  app.decorateRequest('scannedBody', undefined)
  app.removeAllContentTypeParsers()
  app.addHook('preParsing', (request, reply, _payload, done) => {
    const fault = findMediaFault(request)
    if (fault === undefined) return done()
    // What the client still sends stays unread, so the connection cannot carry another request.
    void reply.header('connection', 'close')
    done(new WeirError('unsupportedMediaType', fault))
  })
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: maxBodyBytes }, readBody)
  const validators = buildValidators(() => app.getSchemas())
  app.setValidatorCompiler<FastifySchema>(({ schema, httpPart }) => validators.compile(schema, httpPart))
}

function readBody(request: FastifyRequest, body: Buffer, done: (error: Error | null, value?: unknown) => void): void {
  if (body.length >= largeBodyBytes) {
    parseLargeBody(body, nextTurn).then(parsed => done(null, keep(request, parsed)), done)
    return
  }
  let value: unknown
  try {
    value = keep(request, parseBody(body))
  } catch (error) {
    done(error as Error)
    return
  }
  done(null, value)
}

function keep(request: FastifyRequest, parsed: ParsedBody): unknown {
  request.scannedBody = parsed
  return parsed.value
}

function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Refuses what we do not read before a byte of it is read. */
function findMediaFault(request: FastifyRequest): string | undefined {
  const { headers } = request
  const contentType = headers['content-type']
  // An unknown URL is answered 404 and never reads its body; a request without one is for the route's schema to judge.
  if (request.is404 || (contentType === undefined && !hasBody(request))) return undefined
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    return 'Compressed request bodies are not accepted: send the body without Content-Encoding.'
  }
  if (contentType === undefined) return 'The request has no Content-Type: send application/json.'
  return isJsonMediaType(contentType) ? undefined : 'The Content-Type must be application/json, in UTF-8.'
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

/**
 * `application/json`, alone or with `charset=utf-8`, in any case, with the whitespace and quotes RFC 9110 §8.3.1 allows.
 * Nothing looser, so that no proxy or browser sees another type in it.
 */
function isJsonMediaType(contentType: string): boolean {
  return (
    contentType === 'application/json' ||
    /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i.test(contentType)
  )
}

export default fp(body, { name: 'body', fastify: '5.x' })
