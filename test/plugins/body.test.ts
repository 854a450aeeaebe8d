import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { buildBodyApp } from '../support/body-app.ts'

const valid = JSON.stringify({ messages: [{ role: 'user', content: 'x' }] })
const maxBodyBytes = 1024 * 1024

let app: FastifyInstance
before(async () => {
  app = await buildBodyApp({ maxBodyBytes })
  await app.listen({ host: '127.0.0.1', port: 0 })
})
after(() => app.close())

const post = (headers: Record<string, string>, payload: string | Buffer = valid) =>
  app.inject({ method: 'POST', url: '/chat', headers, payload })

/** Sends raw bytes and gives all that comes back until the connection has been silent or closed. */
async function sendRaw(...pieces: (string | Buffer)[]): Promise<string> {
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  let received = ''
  socket.on('data', data => {
    received += data
  })
  socket.on('error', () => {})
  for (const piece of pieces) socket.write(piece)
  await Promise.race([once(socket, 'close'), once(socket, 'data')])
  socket.destroy()
  return received
}

const head = (lines: readonly string[]) => `POST /chat HTTP/1.1\r\nHost: x\r\n${lines.join('\r\n')}\r\n\r\n`

describe('H02 the Content-Type', () => {
  const taken = [
    ...['application/json', 'Application/JSON', 'APPLICATION/JSON', 'application/json;charset=utf-8'],
    ...['application/json; charset=utf-8', 'application/json; charset=UTF-8', 'application/json ; Charset="utf-8"'],
    ...['application/json;\tcharset=utf-8', 'application/json; charset=utf-8 '],
  ]
  const others = [
    ...['text/plain', 'text/json', 'text/html', 'text/x-json', 'application/xml', 'application/octet-stream', '*/*'],
    ...['multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', 'application/json-patch+json', 'json'],
    ...['application/ld+json', 'application/vnd.api+json', 'application/jsonp', 'application/x-json', 'application/*'],
    ...['application/ndjson', 'application/json5', 'application/javascript', 'application/msgpack', 'application'],
    ...['application/', '/json', 'application//json', 'application/ json', 'application /json', 'applicationjson', ';'],
    ...['text/plain; application/json', 'text/plain, application/json', 'application/json, text/plain', ','],
    ...['application/json,application/json', 'x application/json', 'application/json x', '"application/json"', '""'],
  ]
  const charsets = [
    'utf-16',
    'utf8',
    'latin1',
    'iso-8859-1',
    'utf-7',
    'utf-32le',
    'us-ascii',
    'utf-8x',
    'x',
    '',
    '"utf-8',
  ]
  const parameters = [
    ...[
      ';',
      '; ',
      ';;',
      '; charset',
      '; charset=',
      '; charset =utf-8',
      '; charset= utf-8',
      '; charset=utf-8;',
      '; x=y',
    ],
    ...[
      '; charset=utf-8; charset=utf-8',
      '; charset=utf-8; x=y',
      '; boundary=x',
      '; q=1',
      '; charset=utf-8, x',
      ' charset=utf-8',
    ],
    ...[
      "; charset='utf-8'",
      '; charset=utf-8; charset=utf-16',
      '; charset=utf-16; charset=utf-8',
      ' ;x',
      '; version=2',
    ],
    ...charsets.map(charset => `; charset=${charset}`),
  ]
  const mutants = [
    ...others,
    ...['application/json', 'Application/Json', 'APPLICATION/JSON'].flatMap(type =>
      parameters.map(text => type + text),
    ),
    ...['text/plain', 'text/json', 'application/xml'].flatMap(type => parameters.map(text => type + text)),
  ]

  test('H02 application/json in UTF-8 is taken, however it is written', async () => {
    for (const type of taken) {
      assert.equal((await post({ 'content-type': type })).statusCode, 200, type)
      const invalid = await post({ 'content-type': type }, '{"messages":1}')
      assert.equal(invalid.json().error.param, 'messages', type)
    }
  })

  test(`H02 each of ${mutants.length} others is 415`, async () => {
    assert.ok(mutants.length >= 200)
    for (const type of mutants) {
      const { statusCode, body } = await post({ 'content-type': type })
      assert.equal(statusCode, 415, type)
      assert.equal(JSON.parse(body).error.code, 'unsupported_media_type')
    }
  })

  test('H02 none at all is 415 with a body and 400 without', async () => {
    assert.match(await sendRaw(head([`Content-Length: ${valid.length}`]), valid), /^HTTP\/1.1 415 /)
    assert.match(await sendRaw(head(['Transfer-Encoding: chunked']), '0\r\n\r\n'), /^HTTP\/1.1 415 /)
    assert.match(await sendRaw(head(['Content-Length: 0'])), /^HTTP\/1.1 400 .*is empty/s)
  })

  test('H02 of two the first counts, and the body is still validated', async () => {
    const type = 'Content-Type: application/json'
    const length = 'Content-Length: 14'
    const answer = await sendRaw(head([type, 'Content-Type: text/plain', length]), '{"messages":1}')
    assert.match(answer, /^HTTP\/1.1 400 .*messages must be an array/s)
    assert.match(await sendRaw(head(['Content-Type: text/plain', type, length]), '{"messages":1}'), /^HTTP\/1.1 415 /)
  })

  test('H02 what is no body is none where none is asked for, whatever type is named', async () => {
    const headers = { 'content-type': 'application/json' }
    for (const method of ['OPTIONS', 'DELETE'] as const)
      assert.equal((await app.inject({ method, url: '/nothing', headers })).statusCode, 404, method)
  })

  test('H02 a GET is not asked for its type', async () => {
    const { statusCode } = await app.inject({ method: 'GET', url: '/chat', headers: { 'content-type': 'text/plain' } })
    assert.equal(statusCode, 404)
  })
})

describe('H07 the size and encoding of a body', () => {
  const json = 'Content-Type: application/json'
  const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`

  test('H07 a declared length over the limit is 413 before the body', async () => {
    const answer = await sendRaw(head([json, `Content-Length: ${maxBodyBytes + 1}`]))
    assert.match(answer, /^HTTP\/1.1 413 .*"code":"request_too_large"/s)
    assert.match(answer, /larger than 1048576 bytes/)
  })

  test('H07 a client that sends it all the same gets the answer, and may go on', async () => {
    const large = Buffer.alloc(8 * maxBodyBytes, 'a')
    const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/chat`
    for (let round = 0; round < 5; round++) {
      const refused = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: large })
      assert.equal(refused.status, 413)
      await refused.text()
      const wrongType = await fetch(url, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: large })
      assert.equal(wrongType.status, 415)
      await wrongType.text()
    }
  })

  test('H07 chunks over the limit are 413', async () => {
    const chunks = Array.from({ length: 17 }, () => chunk)
    assert.match(await sendRaw(head([json, 'Transfer-Encoding: chunked']), ...chunks, '0\r\n\r\n'), /^HTTP\/1.1 413 /)
  })

  test('H07 chunks over the limit are 413 also where the client stops and waits', async () => {
    const chunks = Array.from({ length: 17 }, () => chunk)
    assert.match(await sendRaw(head([json, 'Transfer-Encoding: chunked']), ...chunks), /^HTTP\/1.1 413 /)
  })

  test('H07 chunks without end are 413 too', async () => {
    const chunks = Array.from({ length: 40 }, () => chunk)
    assert.match(await sendRaw(head([json, 'Transfer-Encoding: chunked']), ...chunks), /^HTTP\/1.1 413 /)
  })

  test('H07 a body of exactly the limit passes, declared and in chunks', async () => {
    const text = `{"x":"${'a'.repeat(maxBodyBytes - 8)}"}`
    const headers = [json, `Content-Length: ${text.length}`]
    assert.match(await sendRaw(head(headers).replace('/chat', '/any'), text), /^HTTP\/1.1 200 /)
    const pieces = text.match(/.{1,65536}/gs)?.map(piece => `${piece.length.toString(16)}\r\n${piece}\r\n`) ?? []
    const chunked = head([json, 'Transfer-Encoding: chunked']).replace('/chat', '/any')
    assert.match(await sendRaw(chunked, ...pieces, '0\r\n\r\n'), /^HTTP\/1.1 200 /)
  })

  test('H07 a gzip bomb is 415 and stays packed', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '))
    for (const encoding of [
      'gzip',
      'GZIP',
      'x-gzip',
      'deflate',
      'br',
      'zstd',
      'gzip, identity',
      'identity, gzip',
      'x',
      '',
    ]) {
      const headers = { 'content-type': 'application/json', 'content-encoding': encoding }
      assert.equal((await post(headers, bomb)).statusCode, 415, encoding)
    }
    const plain = { 'content-type': 'application/json', 'content-encoding': ' Identity ' }
    assert.equal((await post(plain)).statusCode, 200)
  })

  test('H07 a client that leaves in the middle of a body leaves nothing behind', async () => {
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    socket.write(`${head([json, 'Content-Length: 1000'])}{"mess`)
    await once(app.server, 'request')
    socket.destroy()
    assert.equal((await post({ 'content-type': 'application/json' })).statusCode, 200)
  })
})

test('bytes and fields stand beside the parsed body', async () => {
  const body = '{"messages": [{"role":"user","content":"é"}] ,"seed":9223372036854775807, "top_p":1.0}'
  const { sent } = (await post({ 'content-type': 'application/json' }, body)).json()
  assert.equal(sent, '{"messages": [{"role":"user","content":"é"}],"seed":9223372036854775807,"top_p":1.0}')
})
