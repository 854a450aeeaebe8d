import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { WeirError } from './errors.ts'

/** Answers what is not even HTTP, in OpenAI's shape all the same; nothing of it reaches a route. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const answer = toWeirError(error.code)
  const body = JSON.stringify(answer.body)
  const head = [
    `HTTP/1.1 ${answer.statusCode} ${STATUS_CODES[answer.statusCode]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function toWeirError(code: string | undefined): WeirError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new WeirError('headersTooLarge', 'The request headers are larger than 16 KiB.')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new WeirError('requestTimeout', 'The request took too long to arrive.')
  return new WeirError('invalidRequest', 'This is not a well-formed HTTP/1.1 request.')
}
