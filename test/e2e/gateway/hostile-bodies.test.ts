import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { hello } from '../../support/api-error.ts'
import { adminKey } from '../../support/gateway.ts'
import { boundMs, buildTarget, checkPlain, withinBounds } from '../../support/hostile.ts'
import { costlyBodies, refusedBodies } from '../../support/hostile-bodies.ts'

const limit = 8 * 1024 * 1024

/** Headers as they are, which fetch would not send so. */
function postRaw(url: string, headers: Record<string, string | string[]>, body: string) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
  const all = { authorization: `Bearer ${adminKey}`, 'content-length': String(Buffer.byteLength(body)), ...headers }
  const request = httpRequest(`${url}/v1/chat/completions`, { method: 'POST', headers: all }, response => {
    const parts: Buffer[] = []
    response.on('data', (part: Buffer) => parts.push(part))
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }))
  })
  request.on('error', reject)
  request.end(body)
  return promise
}

describe('H02 the type of a body', () => {
  const accepted = ['application/json', 'APPLICATION/JSON', 'Application/Json']
  const refused = [
    'application/json5',
    'application/ld+json',
    'application/*',
    '*/*',
    'text/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application /json',
    'application/json, text/plain',
    'text/plain, application/json',
    'json',
    '"application/json"',
    'application/json\u00a0',
    'application/jso\u00f1',
  ]
  const harmless = ['', '; charset=utf-8', ';charset=UTF-8', '; charset="utf-8"', ' ;\tcharset=utf-8']
  const tricks = [
    '; charset=utf-7',
    '; charset=utf-16',
    '; charset=utf-16le',
    '; charset=iso-8859-1',
    '; charset=us-ascii; charset=utf-8',
    '; charset=utf-8; charset=utf-16',
    '; charset=',
    '; charset',
    '; charset=utf-8, text/plain',
    '; boundary=application/json',
    "; charset*=utf-8''utf-16",
    '; charset="utf-8',
    '; q=0.1',
  ]
  const mutants = [...accepted, ...refused].flatMap(type =>
    [...harmless, ...tricks].map(end => ({
      type: type + end,
      isJson: accepted.includes(type) && harmless.includes(end),
    })),
  )

  test(`H02 each of ${mutants.length} types is 415, or the body behind it is validated`, async t => {
    const { gateway, takeForwarded } = await buildTarget(t)
    const body = JSON.stringify({ ...hello, id_slot: 1 })
    for (const { type, isJson } of mutants) {
      const { status, text } = await postRaw(gateway.url, { 'content-type': type }, body)
      const { error } = JSON.parse(text)
      // The body is never taken as it is: behind a good type its forbidden field is found.
      assert.deepEqual(
        [status, error.code, error.param],
        isJson ? [400, null, 'id_slot'] : [415, 'unsupported_media_type', null],
        type,
      )
      checkPlain(error.message)
    }
    assert.deepEqual(takeForwarded(), [])
  })

  test('H02 none, an empty one, two, and what is no UTF-8 whatever the header says', async t => {
    const { gateway, takeForwarded } = await buildTarget(t)
    const body = JSON.stringify(hello)
    assert.equal((await postRaw(gateway.url, {}, body)).status, 415)
    assert.equal((await postRaw(gateway.url, { 'content-type': '' }, body)).status, 415)
    assert.equal((await postRaw(gateway.url, { 'content-type': ['text/plain', 'application/json'] }, body)).status, 415)
    assert.equal((await postRaw(gateway.url, { 'content-type': 'application/json' }, '')).status, 400)
    assert.deepEqual(takeForwarded(), [])
    const utf16 = Buffer.from(body, 'utf16le').toString('latin1')
    assert.equal((await postRaw(gateway.url, { 'content-type': 'application/json' }, utf16)).status, 400)
    assert.equal((await postRaw(gateway.url, { 'content-type': 'application/json' }, body)).status, 200)
  })
})

describe('H07 bodies made to cost', () => {
  test(`H07 each is refused within ${boundMs} ms, with the loop held no longer, and nothing reaches a backend`, async t => {
    const { gateway, post, takeForwarded } = await buildTarget(t)
    await gateway.openai.chat.completions.create(hello)
    takeForwarded()
    for (const [name, build] of Object.entries(refusedBodies)) {
      const body = new Uint8Array(build())
      const { status } = await withinBounds(name, body.length, () => post('/chat/completions', body))
      assert.equal(status, 400, name)
    }
    // These pass the scan and fail by the schema, which may take its time but not the loop.
    for (const [name, build] of Object.entries(costlyBodies)) {
      assert.equal((await post('/chat/completions', new Uint8Array(build()))).status, 400, name)
    }
    const shapes: Record<string, object | string> = {
      '1,000,000 stops': `{"messages":[{"role":"user","content":"x"}],"stop":[${'1,'.repeat(999_990)}1]}`,
      '900,000 numbers as messages': `{"messages":[${'1,'.repeat(900_000)}1]}`,
      '40,000 tools of nothing': `{"messages":[],"tools":[${'{},'.repeat(40_000)}{}]}`,
      '40,000 biases': { ...hello, logit_bias: Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [i, 1])) },
      'metadata of 8 MB': { ...hello, metadata: { a: 'x'.repeat(7_900_000) } },
      'a model name of 8 MB': { ...hello, model: 'm'.repeat(7_900_000) },
      'a stop of 8 MB': { ...hello, stop: 's'.repeat(7_900_000) },
      '400 unknown fields': Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`f${i}`, i])),
    }
    for (const [name, body] of Object.entries(shapes)) {
      const bytes = new Uint8Array(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)))
      const { status } = await withinBounds(name, bytes.length, () => post('/chat/completions', bytes))
      assert.equal(status, 400, name)
    }
    assert.deepEqual(takeForwarded(), [])
    // It still serves.
    await gateway.openai.chat.completions.create(hello)
  })

  test('H07 too large: by its length at once, and without one after no more than twice the limit', async t => {
    const { gateway, post, takeForwarded } = await buildTarget(t)
    const large = new Uint8Array(limit + 1).fill(0x20)
    for (const path of ['/chat/completions', '/completions', '/embeddings']) {
      const declared = await withinBounds(path, large.length, () => post(path, large))
      assert.deepEqual([declared.status, declared.error?.code], [413, 'request_too_large'])
    }
    let sent = 0
    const endless = new ReadableStream({
      pull(controller) {
        sent += 65_536
        controller.enqueue(large.subarray(0, 65_536))
      },
    })
    const answer = await gateway
      .fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        body: endless,
        duplex: 'half',
      })
      .then(response => response.status)
      // The answer can be lost where the connection is closed on a caller who never stops.
      .catch(() => 413)
    assert.equal(answer, 413)
    // Beside what was read there is what the sockets' buffers hold.
    assert.ok(sent <= 2 * limit + 16 * 1024 * 1024, `${sent} bytes`)
    assert.deepEqual(takeForwarded(), [])
  })

  test('H07 a gzip bomb stays packed', async t => {
    const { post, takeForwarded } = await buildTarget(t)
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(64 * 1024 * 1024, ' ')))
    for (const encoding of ['gzip', 'x-gzip', 'gzip, identity', 'br', 'deflate', 'zstd']) {
      const { status } = await withinBounds(encoding, bomb.length, () =>
        post('/chat/completions', bomb, { 'content-encoding': encoding }),
      )
      assert.equal(status, 415, encoding)
    }
    assert.equal((await post('/chat/completions', bomb)).status, 400)
    assert.deepEqual(takeForwarded(), [])
  })

  test('H07 what looks hostile and is not passes as it is', async t => {
    const { post, takeForwarded } = await buildTarget(t)
    const content = 'a\\ud83d\\ude00 \\u0000 __proto__ {"constructor":{"prototype":1}} \u{10ffff} \ufeff'
    const schema = { type: 'object', properties: { constructor: { type: 'string' }, toString: { type: 'number' } } }
    const tools = [{ type: 'function', function: { name: 'f', parameters: schema } }]
    const messages = [{ role: 'user', content }]
    assert.equal((await post('/chat/completions', { messages, tools, seed: 9007199254740991 })).status, 200)
    const [forwarded] = takeForwarded()
    assert.deepEqual(forwarded?.['messages'], messages)
    assert.deepEqual(forwarded?.['tools'], tools)
    assert.equal(forwarded?.['seed'], 9007199254740991)
  })
})
