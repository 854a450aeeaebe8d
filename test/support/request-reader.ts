import type { ByteReader } from './byte-reader.ts'

/** A request as it came: nothing normalised, nothing merged. */
export interface RecordedRequest {
  readonly method: string
  /** The request target as sent, query included. */
  readonly target: string
  readonly path: string
  readonly version: string
  /** In the order and the spelling sent, doubles included. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  readonly text: string
  /** The parsed body; undefined when it is not JSON. */
  readonly json: unknown
  /** `performance.now()` when the body was complete. */
  readonly atMs: number
  /** All values of a header (any case), joined by ", "; undefined when absent. */
  header(name: string): string | undefined
}

/** Reads one HTTP/1.1 request, body and all; undefined when the connection ended before its first byte. */
export async function readRequest(reader: ByteReader, sayContinue: () => void): Promise<RecordedRequest | undefined> {
  const head = await reader.until('\r\n\r\n')
  if (head === undefined) return undefined
  const [requestLine = '', ...lines] = head.toString('latin1').slice(0, -4).split('\r\n')
  const [method = '', target = '', version = ''] = requestLine.split(' ')
  const headers = parseHeaders(lines)
  const header = (name: string) => findHeader(headers, name)
  if (header('expect')?.toLowerCase() === '100-continue') sayContinue()
  const body = await readBody(reader, header)
  if (body === undefined) return undefined
  const text = body.toString('utf8')
  const path = target.split('?')[0] ?? ''
  return { method, target, path, version, headers, body, text, json: parseJson(text), atMs: performance.now(), header }
}

export function parseHeaders(lines: readonly string[]): [string, string][] {
  return lines.map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
}

export function findHeader(headers: readonly (readonly [string, string])[], name: string): string | undefined {
  const values = headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}

async function readBody(reader: ByteReader, header: (name: string) => string | undefined): Promise<Buffer | undefined> {
  if (header('transfer-encoding')?.toLowerCase() !== 'chunked') {
    return await reader.exactly(Number(header('content-length') ?? 0))
  }
  const parts: Buffer[] = []
  for await (const part of readChunks(reader)) parts.push(part)
  return Buffer.concat(parts)
}

/** The parts of a chunked body as they were sent; throws when the connection ends before the last one. */
export async function* readChunks(reader: ByteReader): AsyncGenerator<Buffer> {
  for (;;) {
    const line = await reader.until('\r\n')
    const size = Number.parseInt(line?.toString('latin1') ?? '', 16)
    const part = Number.isNaN(size) ? undefined : await reader.exactly(size)
    if (part === undefined || (await reader.until('\r\n')) === undefined)
      throw new Error('the chunked body was cut short')
    if (size === 0) return
    yield part
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
