import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  BACKEND_SECRET,
  endlessError,
  errorAnswer,
  errorInFirstEvent,
  garbage,
  htmlError,
  loading,
  notAStream,
  replay,
} from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import type { Behaviour } from '../support/exchange.ts'
import {
  ask,
  assertNoSecret,
  errorOf,
  gatewayBefore,
  question,
  requestLine,
  streamQuestion,
} from '../support/inference.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

interface Case {
  readonly behaviour: Behaviour
  readonly status: number
  readonly code: string | null
  readonly outcome: string
  readonly param?: string
}

const secret = { error: { message: BACKEND_SECRET, type: BACKEND_SECRET, code: BACKEND_SECRET, param: BACKEND_SECRET } }
const upstream = { status: 502, code: 'upstream_error' }
const client = { status: 400, code: null, outcome: 'client' }
const busy = { status: 503, code: 'server_is_overloaded', outcome: 'busy' }
const context = { status: 400, code: 'context_length_exceeded', outcome: 'context', param: 'messages' }

/** A raw answer, whatever it is, and the end of the connection. */
const raw = (text: string): Behaviour => {
  return async exchange => {
    await exchange.write(text)
    exchange.hangUp()
  }
}

const errors: Record<string, Case> = {
  'S10 500 with an HTML page, a stack and an address': { behaviour: htmlError(), ...upstream, outcome: 'failed' },
  'S10 502 of a proxy before it': { behaviour: htmlError(502), ...upstream, outcome: 'failed' },
  'S10 500 with JSON': { behaviour: errorAnswer(500, secret), ...upstream, outcome: 'failed' },
  'S10 400 with secrets': { behaviour: errorAnswer(400, secret), ...client },
  'S10 422 with secrets': { behaviour: errorAnswer(422, { detail: [{ msg: BACKEND_SECRET }] }), ...client },
  'S10 413 with secrets': { behaviour: errorAnswer(413, secret), ...client },
  'S10 404 with secrets': { behaviour: errorAnswer(404, secret), ...upstream, outcome: 'failed' },
  'S10 418, of which nobody knows': { behaviour: errorAnswer(418, secret), ...upstream, outcome: 'failed' },
  'S10 a body without end': { behaviour: endlessError(), ...upstream, outcome: 'failed' },
  'S10 an answer that is not HTTP': { behaviour: raw(`${BACKEND_SECRET}\r\n\r\n`), ...upstream, outcome: 'rubbish' },
  'S10 a header that is not one': {
    behaviour: raw(`HTTP/1.1 200 OK\r\n${BACKEND_SECRET}\0: x\r\n\r\n`),
    ...upstream,
    outcome: 'rubbish',
  },
  'S10 a chunk that is not one': {
    behaviour: raw(
      `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n${BACKEND_SECRET}\r\n`,
    ),
    ...upstream,
    outcome: 'rubbish',
  },
  'S10 headers without end': {
    behaviour: raw(`HTTP/1.1 200 OK\r\nX: ${BACKEND_SECRET.repeat(2000)}\r\n\r\n`),
    ...upstream,
    outcome: 'rubbish',
  },
  'S11 200 and an error in the first event': { behaviour: errorInFirstEvent(), ...upstream, outcome: 'failed' },
  'S11 200 and a page': { behaviour: notAStream(), ...upstream, outcome: 'rubbish' },
  'S11 200 and an error as JSON': {
    behaviour: notAStream('application/json', JSON.stringify(secret)),
    ...upstream,
    outcome: 'failed',
  },
  'S11 200 and an event stream of noise': { behaviour: garbage(), ...upstream, outcome: 'incomplete' },
  'S11 200 and an event that is no JSON': {
    behaviour: async exchange => {
      await exchange.stream()
      await exchange.control(`{"choices": ${BACKEND_SECRET}`)
      await exchange.end()
    },
    ...upstream,
    outcome: 'rubbish',
  },
  'S11 204': { behaviour: exchange => exchange.answer(204, [], ''), ...upstream, outcome: 'rubbish' },
  'a redirect': {
    behaviour: exchange => exchange.answer(307, [['Location', '/v1/elsewhere']], ''),
    ...upstream,
    outcome: 'rubbish',
  },
  'a model that loads': { behaviour: loading(), ...busy },
  'a backend that has enough (429)': { behaviour: errorAnswer(429, secret, [['Retry-After', '7']]), ...busy },
  'a wrong key (401)': { behaviour: errorAnswer(401, secret), ...upstream, outcome: 'refused' },
  'a forbidden address (403)': { behaviour: errorAnswer(403, secret), ...upstream, outcome: 'refused' },
  'a prompt that is too long': { behaviour: replay('116-err-context-exceeded'), ...context },
  'a prompt that is too long, streamed': { behaviour: replay('117-err-context-exceeded-stream'), ...context },
  'a prompt that is too long, as vLLM says it': {
    behaviour: errorAnswer(400, {
      object: 'error',
      message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
      type: 'BadRequestError',
      code: 400,
    }),
    ...context,
  },
  'llama-server: 500 for malformed JSON': { behaviour: replay('100-err-malformed-json'), ...client },
  'llama-server: 400 for no messages': { behaviour: replay('103-err-missing-messages'), ...client },
  'llama-server: 500 for a message without role': { behaviour: replay('106-err-no-role'), ...client },
  'llama-server: 500 for an image': { behaviour: replay('077-chat-image_url'), ...client },
  'llama-server: 501 for embeddings': { behaviour: replay('190-embeddings-on-chat-server'), ...client },
  'llama-server: 404 for another method': { behaviour: replay('120-err-GET-chat'), ...upstream, outcome: 'failed' },
  'llama-server router: no such model': {
    behaviour: replay('413-router-unknown-model'),
    ...upstream,
    outcome: 'failed',
  },
}

test('S10 S11 what a backend says instead of an answer becomes an error of ours, and nothing of it gets out', async t => {
  const backend = await startScriptedBackend(t)
  const gateway = await gatewayBefore(t, backend)
  let asked = 0
  for (const [name, { behaviour, status, code, outcome, param }] of Object.entries(errors)) {
    await t.test(name, async t => {
      backend.use(llamaServer({ chat: behaviour }))
      for (const body of [streamQuestion, question]) {
        const answer = await (await ask(t, gateway, body)).response()
        const error = errorOf(answer)
        assert.deepEqual([answer.status, error['code'], error['param']], [status, code, param ?? null])
        assertNoSecret(gateway, answer.text, JSON.stringify(answer.headers))
        asked += 1
        const line = await requestLine(gateway, asked)
        assert.deepEqual([line['status'], line['outcome'], line['firstTokenMs']], [status, outcome, undefined])
        if (status === 503) assert.ok(Number(answer.header('retry-after')) >= 1)
      }
      const inferences = backend.exchanges.filter(({ request }) => request.path !== '/health')
      assert.equal(inferences.length, asked, 'nothing is asked twice, and no other place')
    })
  }
})

test('a busy backend says when to come back', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: errorAnswer(429, secret, [['Retry-After', '7']]) }))
  const gateway = await gatewayBefore(t, backend)
  const answer = await (await ask(t, gateway)).response()
  assert.deepEqual([answer.header('retry-after'), answer.header('retry-after-ms')], ['7', '7000'])
})

for (const server of [{ commitAfter: '15s' }, { commitAfter: '0s' }]) {
  test(`a backend that refuses us is an operator's matter: an error in the log (200 after ${server.commitAfter})`, async t => {
    const backend = await startScriptedBackend(t, llamaServer({ chat: errorAnswer(401, secret) }))
    const gateway = await gatewayBefore(t, backend, { server })
    await (await ask(t, gateway)).response()
    await requestLine(gateway)
    const errors = gateway.logLines.filter(line => Number(line['level']) >= 50)
    assert.equal(errors.length, 1)
    assert.match(JSON.stringify(errors[0]), /401/)
    assertNoSecret(gateway)
  })
}
