import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest, FastifySchema, preValidationHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { type ParsedBody, parseBody, parseLargeBody, type ScannedBody } from '../src/domain/body-parse.ts'
import { WeirError } from '../src/errors.ts'
import { buildValidators } from '../src/schemas/validators.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Answers 503 to requests whose bodies have not come whole. */
    stopReading(): void
  }
  interface FastifyRequest {
    /** The body's bytes and the places of its fields; undefined for a request without a body. */
    scannedBody: ScannedBody | undefined
  }
}

export interface BodyOptions {
  /** Larger bodies are answered 413. */
  readonly maxBodyBytes: number
}

type ParseDone = (error: Error | null, value?: unknown) => void
type BytesDone = (error: WeirError | null, bytes?: Buffer) => void

/** From this size on a body's parsing gives way to others between its steps; below it takes about a millisecond. */
const largeBodyBytes = 128 * 1024

/**
 * Everything between a request's bytes and `request.body`: which media types are taken, how large and how deep a body
 * may be, and the validators of the routes' schemas. `request.scannedBody` keeps the bytes beside the parsed value.
 */
async function body(app: FastifyInstance, { maxBodyBytes }: BodyOptions): Promise<void> {
  const unread = new Set<(error: WeirError) => void>()
  app.decorateRequest('scannedBody', undefined)
  app.decorate('stopReading', () => {
    for (const finish of unread) finish(new WeirError('overloaded', stopping))
  })
  app.removeAllContentTypeParsers()
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    const fault = findMediaFault(request)
    if (fault !== undefined) done(new WeirError('unsupportedMediaType', fault))
    else if (Number(request.headers['content-length']) > maxBodyBytes) done(tooLarge(maxBodyBytes))
    else done()
  })
  app.addContentTypeParser('application/json', (request, payload, done) => {
    const stop = readBytes(request, payload, maxBodyBytes, (error, bytes) => {
      unread.delete(stop)
      if (bytes === undefined) done(error)
      // Some clients name the media type of every request, also where there is no body and none is asked for.
      else if (bytes.length === 0 && takesNoBody(request)) done(null)
      else parse(request, bytes, done)
    })
    unread.add(stop)
  })
  const validators = buildValidators(() => app.getSchemas())
  app.setValidatorCompiler<FastifySchema>(({ schema, httpPart }) => validators.compile(schema, httpPart))
}

/** What is set aside for a body before its bytes come: a caller must have sent this much before we trust its length. */
const firstBytes = 256 * 1024

const stopping = 'This server is stopping, and the request body is not complete. Try again: another one will answer.'

/** A client whose body is too large and who sends nothing for this long waits for the answer. */
const silenceMs = 20

/**
 * Collects a body into one buffer. Fastify's own way keeps the pieces and then copies them together, which takes twice
 * the memory of a large body. Returns what ends it early; `done` is called once, and never before this has returned.
 */
function readBytes(request: FastifyRequest, payload: Readable, maxBytes: number, done: BytesDone) {
  const declared = request.headers['content-length']
  const most = declared === undefined ? maxBytes : Number(declared)
  let bytes = Buffer.allocUnsafe(Math.min(most, firstBytes))
  let length = 0
  let silence: NodeJS.Timeout | undefined
  const onData = (chunk: Buffer) => {
    const start = length
    length += chunk.length
    if (length > most) {
      // Read on for a while without keeping: a connection closed on a client that still sends loses the answer.
      clearTimeout(silence)
      if (length > 2 * most) finish(tooLarge(maxBytes))
      else silence = setTimeout(onEnd, silenceMs)
      return
    }
    if (length > bytes.length) {
      // A declared length is allocated at once now, an undeclared one by doubling.
      const larger = Buffer.allocUnsafe(declared === undefined ? Math.min(2 * length, most) : most)
      bytes.copy(larger, 0, 0, start)
      bytes = larger
    }
    chunk.copy(bytes, start)
  }
  const onEnd = () => finish(length > most ? tooLarge(maxBytes) : null)
  const onError = (cause: Error) => {
    finish(new WeirError('invalidRequest', 'The connection broke before the request body was complete.', { cause }))
  }
  const finish = (error: WeirError | null) => {
    clearTimeout(silence)
    payload.off('data', onData).off('end', onEnd).off('error', onError)
    if (error === null) done(null, bytes.subarray(0, length))
    else done(error)
  }
  payload.on('data', onData).on('end', onEnd).on('error', onError)
  return finish
}

function tooLarge(maxBytes: number): WeirError {
  return new WeirError('requestTooLarge', `The request body is larger than ${maxBytes} bytes.`)
}

function parse(request: FastifyRequest, bytes: Buffer, done: ParseDone): void {
  if (bytes.length >= largeBodyBytes) {
    parseLargeBody(bytes, nextTurn).then(parsed => done(null, keep(request, parsed)), done)
    return
  }
  let value: unknown
  try {
    value = keep(request, parseBody(bytes))
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

/**
 * What we do not read is refused before a byte of it is. Node then discards what the client still sends, so that the
 * answer arrives; the server's `requestTimeout` bounds for how long.
 */
function findMediaFault(request: FastifyRequest): string | undefined {
  const { headers, method } = request
  const contentType = headers['content-type']
  // An unknown URL is answered 404, and a GET's body is never read.
  if (request.is404 || method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return undefined
  // Whether there must be a body at all is for the route's schema to say.
  if (contentType === undefined && !hasBody(request)) return undefined
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    return 'Compressed request bodies are not accepted: send the body without Content-Encoding.'
  }
  if (contentType === undefined) return 'The request has no Content-Type: send application/json.'
  return isJsonMediaType(contentType) ? undefined : 'The Content-Type must be application/json, in UTF-8.'
}

const takesNoBody = ({ method, is404 }: FastifyRequest): boolean => method === 'DELETE' || method === 'OPTIONS' || is404

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

/** A preValidation hook for a body of which everything has a default (`x-optional`): it may be left out altogether. */
export const fillAbsentBody: preValidationHookHandler = (request, _reply, done) => {
  request.body ??= {}
  done()
}

export default fp(body, { name: 'body', fastify: '5.x' })
