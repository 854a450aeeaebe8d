import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { llamaServer } from '../../support/engines.ts'
import { adminKey, buildGateway } from '../../support/gateway.ts'
import { oneBackendYaml, question, streamQuestion } from '../../support/inference.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { waysTo } from './balanced.ts'

const right = `Authorization: Bearer ${adminKey}`

/** All that a backend ever gets, whatever a caller sends. */
const allowed = new Set([
  ...['host', 'connection', 'user-agent', 'accept', 'accept-encoding', 'content-type', 'content-length'],
  'x-request-timeout-ms',
])

/** Lines beside Host, key and length; LENGTH is the body's. */
const hostile: readonly (readonly string[])[] = [
  ['Connection: authorization'],
  ['Connection: x-tenant, authorization', 'X-Tenant: evil'],
  ['Connection: close, x-weir-account', 'X-Weir-Account: evil'],
  ['Connection: content-length'],
  ['Connection: host, content-type, x-forwarded-for', 'X-Forwarded-For: evil'],
  ['Connection: keep-alive', 'Keep-Alive: timeout=evil'],
  ['TE: trailers', 'Trailer: X-Evil'],
  ['TE: trailers, deflate;q=0.5, evil'],
  ['Proxy-Connection: keep-alive', 'Proxy-Authorization: Basic evil'],
  ['Upgrade: websocket', 'Connection: upgrade', 'Sec-WebSocket-Key: evil'],
  ['Content-Length: LENGTH'],
  ['Content-Length: 0'],
  ['Content-Length: 1'],
  ['content-length: LENGTH', 'CONTENT-LENGTH: LENGTH'],
  ['Content-Length: LENGTH, LENGTH'],
  ['Transfer-Encoding: identity'],
  ['X-Evil: a\rX-Injected: evil'],
  ['X-Evil: a\nX-Injected: evil'],
  ['X-Evil: a\r\n X-Injected: evil'],
  ['X-Evil: a%0d%0aX-Injected: evil'],
  ['X-Evil: a\u560d\u560aX-Injected: evil'],
  ['X-Request-Id: evil\tX-Injected: evil'],
  ['X-Request-Id: evil%0d%0aevil', 'traceparent: evil', 'tracestate: evil'],
  ['traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'baggage: evil=1'],
  ['X-Request-Timeout-Ms: 5000', 'X-Request-Timeout-Ms: evil'],
  ['Accept: evil/evil', 'Accept-Encoding: evil, gzip', 'User-Agent: evil', 'Range: bytes=evil'],
  ['Cookie: evil', 'X-Conversation-Id: evil', 'OpenAI-Organization: evil', 'X-Api-Base: http://evil'],
  ['Expect: 100-continue'],
  ['Max-Forwards: 0', 'Via: 1.1 evil', 'Forwarded: for=evil', 'X-Forwarded-Host: evil', 'X-Original-URL: /evil'],
  ['__proto__: evil', 'constructor: evil'],
]

/** A request in chunks, with trailers that are none of ours. */
const chunked = (body: string): string =>
  [
    ...['POST /v1/chat/completions HTTP/1.1', 'Host: a', right, 'Content-Type: application/json', 'TE: trailers'],
    ...['Trailer: Authorization, X-Evil, Content-Length', 'Transfer-Encoding: chunked', '', body.length.toString(16)],
    ...[body, '0', 'Authorization: Bearer evil', 'X-Evil: evil', 'Content-Length: 1', 'Host: evil', '', ''],
  ].join('\r\n')

function written(lines: readonly string[], body: string): string {
  const all = ['POST /v1/chat/completions HTTP/1.1', 'Host: a', right, 'Content-Type: application/json']
  const length = String(body.length)
  return `${[...all, `Content-Length: ${length}`, ...lines].join('\r\n').replaceAll('LENGTH', length)}\r\n\r\n${body}`
}

async function send(t: TestContext, url: string, text: string): Promise<number> {
  const client = await connectRaw(t, url)
  client.send(Buffer.from(text, 'latin1'))
  const { status } = await client.response()
  client.destroy()
  return status
}

test('H04 a backend gets the headers on the list and one length, whatever a caller sends', async t => {
  const backend = await startScriptedBackend(t, llamaServer())
  const gateway = await buildGateway(t, { yaml: oneBackendYaml(backend.url) })
  for (const [kind, url] of await waysTo(t, gateway)) {
    await t.test(`H04 ${kind}`, async () => {
      let served = 0
      for (const body of [question, streamQuestion].map(each => JSON.stringify(each))) {
        for (const text of [...hostile.map(lines => written(lines, body)), chunked(body)]) {
          const before = backend.exchangesTo('/v1/chat/completions').length
          const status = await send(t, url, text)
          const forwarded = backend.exchangesTo('/v1/chat/completions').slice(before)
          assert.ok(status === 200 || (status >= 400 && status < 500), `${status}: ${text}`)
          assert.equal(forwarded.length, status === 200 ? 1 : 0, text)
          for (const { request } of forwarded) {
            served += 1
            const names = request.headers.map(([name]) => name.toLowerCase())
            assert.deepEqual(
              names.filter(name => !allowed.has(name)),
              [],
              text,
            )
            assert.equal(new Set(names).size, names.length, `each once: ${text}`)
            assert.equal(request.header('content-length'), String(request.body.length), text)
            assert.doesNotMatch(JSON.stringify([request.target, ...request.headers]), /evil|test-admin-key/, text)
          }
        }
      }
      assert.ok(served >= hostile.length, `${served} were served`)
    })
  }
  assert.deepEqual(backend.failures, [])
})
