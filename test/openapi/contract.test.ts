import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { onEnd } from '../support/cleanup.ts'
import { contractOf } from '../support/contract.ts'
import { buildValidatedFetch } from '../support/validated-fetch.ts'

const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: { error: { type: 'object', required: ['message', 'type', 'param', 'code'] } },
}
const schema = { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } }
const json = { 'application/json': { schema } }
const document = {
  openapi: '3.1.0',
  paths: {
    '/thing/{id}': {
      get: {
        responses: {
          200: {
            description: 'A thing.',
            content: { ...json, 'text/event-stream': { schema: { anyOf: [schema, errorSchema] } } },
            headers: { 'x-request-id': { $ref: '#/components/headers/x-request-id' } },
          },
        },
      },
    },
  },
  components: {
    schemas: { Error: errorSchema },
    headers: { 'x-request-id': { schema: { type: 'string', pattern: '^req_' } } },
  },
}

interface Answer {
  readonly path?: string
  readonly status?: number
  readonly type?: string
  readonly headers?: Record<string, string>
  readonly body: string
}

/** Lets a server give this answer to a validated fetch; what is wrong with it, or null. */
async function faultOf(t: TestContext, answer: Answer): Promise<string | null> {
  const { path = '/thing/1', status = 200, type = 'application/json', headers = {}, body } = answer
  const server = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': type, ...headers }).end(body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const steps: (() => unknown)[] = []
  const inner = { after: (step: () => unknown) => void steps.push(step) } as unknown as TestContext
  onEnd(t, () => server.close())
  const validated = buildValidatedFetch(inner, () => contractOf(document))
  const thrown = await validated(`http://127.0.0.1:${port}${path}`)
    .then(response => response.text())
    .then(
      () => null,
      (error: Error) => error.message,
    )
  const atEnd = await Promise.all(steps.map(step => step())).then(
    () => null,
    (error: Error) => error.message,
  )
  assert.equal(atEnd !== null, thrown !== null, 'what was thrown is also told at the end of the test')
  return thrown
}

const refused = JSON.stringify({ error: { message: 'm', type: 't', param: null, code: null } })

test('an answer that keeps the contract passes', async t => {
  assert.equal(await faultOf(t, { body: '{"n":1}' }), null)
  assert.equal(await faultOf(t, { body: '{"n":1}', headers: { 'x-request-id': 'req_1' } }), null)
  assert.equal(await faultOf(t, { path: '/thing/a/b', body: '{"n":1}' }), null)
  assert.equal(await faultOf(t, { path: '/nothing', status: 404, body: refused }), null)
  const type = 'text/event-stream; charset=utf-8'
  assert.equal(await faultOf(t, { type, body: 'data: {"n":1}\n\n: ping\n\ndata: [DONE]\n\n' }), null)
  assert.equal(await faultOf(t, { type, body: `data: {"n":1}\n\ndata: ${refused}\n\n` }), null)
})

test('one that does not fails, and says where', async t => {
  const type = 'text/event-stream'
  const cases: readonly (readonly [Answer, RegExp])[] = [
    [{ body: '{"n":"1"}' }, /GET \/thing\/1 → 200 breaks its contract: it\/n must be integer/],
    [{ body: '{}' }, /must have required property 'n'/],
    [{ body: 'n' }, /not JSON/],
    [{ body: '{"n":1}', type: 'text/html' }, /text\/html/],
    [{ body: '{"n":1}', status: 201 }, /not documented to answer 201/],
    [{ body: '{"n":1}', headers: { server: 'x' } }, /tells what the server is/],
    [{ body: '{"n":1}', headers: { 'x-request-id': 'mine' } }, /the header x-request-id/],
    [{ path: '/nothing', body: '{"n":1}' }, /not documented/],
    [{ path: '/nothing', status: 404, body: '{"error":"no"}' }, /must be object/],
    [{ path: '/nothing', status: 404, body: 'no', type: 'text/plain' }, /text\/plain/],
    [{ type, body: 'data: {"n":"1"}\n\ndata: [DONE]\n\n' }, /must be integer/],
    [{ type, body: 'data: {"n":1}\n\n' }, /without \[DONE\]/],
    [{ type, body: 'data: {"n":1}\n\ndata: [DONE]' }, /ends inside an event/],
    [{ type, body: 'data: [DONE]\n\ndata: {"n":1}\n\n' }, /more follows/],
    [{ type, body: 'event: x\ndata: {"n":1}\n\ndata: [DONE]\n\n' }, /one data line/],
  ]
  for (const [answer, expected] of cases) assert.match((await faultOf(t, answer)) ?? 'it passed', expected)
})
