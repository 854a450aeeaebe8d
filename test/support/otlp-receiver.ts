/** A collector of traces: a real OTLP/HTTP server on loopback that reads what exporters send as JSON. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { onEnd } from './cleanup.ts'
import { eventually } from './eventually.ts'

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  /** Absent for the first of a trace. */
  readonly parentSpanId?: string
  readonly name: string
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, unknown>>
  /** 0 unset, 2 error. */
  readonly status: number
  readonly resource: Readonly<Record<string, unknown>>
}

export interface OtlpReceiver {
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  /** Of every request so far. */
  readonly headers: readonly IncomingHttpHeaders[]
  /** All that came, as text. */
  readonly text: () => string
  /** What it answers from now on; null says nothing. */
  status: number | null
  /** The spans of the trace once there is a server span, and as many of them. */
  whenTraced(count: number, traceId?: string): Promise<readonly ReceivedSpan[]>
}

interface Pair {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}
interface WireSpan extends Pick<ReceivedSpan, 'traceId' | 'spanId' | 'parentSpanId' | 'name' | 'kind'> {
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes?: readonly Pair[]
  readonly status?: { readonly code?: number }
}
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Pair[] }
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[]
  }[]
}

export async function startOtlpReceiver(t: TestContext): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const headers: IncomingHttpHeaders[] = []
  const texts: string[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString()
    headers.push(request.headers)
    if (receiver.status === null) return
    if (receiver.status === 200 && request.url === '/v1/traces') {
      texts.push(text)
      spans.push(...spansOf(JSON.parse(text)))
    }
    response.writeHead(receiver.status, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onEnd(t, () => {
    server.closeAllConnections()
    return new Promise<void>(resolve => server.close(() => resolve()))
  })
  const receiver: OtlpReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    headers,
    text: () => texts.join('\n'),
    status: 200,
    whenTraced: async (count, traceId) => {
      const found = () => spans.filter(span => traceId === undefined || span.traceId === traceId)
      await eventually(`${count} spans`, () => found().length >= count && found().some(({ kind }) => kind === 2))
      return found()
    },
  }
  return receiver
}

function spansOf({ resourceSpans }: Export): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(scope =>
      scope.spans.map(({ startTimeUnixNano, endTimeUnixNano, attributes = [], status, ...span }) => ({
        ...span,
        startNs: BigInt(startTimeUnixNano),
        endNs: BigInt(endTimeUnixNano),
        attributes: recordOf(attributes),
        status: status?.code ?? 0,
        resource: recordOf(resource.attributes),
      })),
    ),
  )
}

const recordOf = (pairs: readonly Pair[]) =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]))
