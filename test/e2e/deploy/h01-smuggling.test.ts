import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startHaproxy, startNginx } from '../../support/balancers.ts'
import { llamaServer } from '../../support/engines.ts'
import { buildGateway } from '../../support/gateway.ts'
import { oneBackendYaml } from '../../support/inference.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { authorization, hidden, raw } from '../../support/smuggling.ts'
import { framingPayloads } from '../../support/smuggling-framing.ts'
import { headPayloads } from '../../support/smuggling-heads.ts'
import { type Outcome, sendAll } from './smuggling-run.ts'

const payloads = [...framingPayloads(), ...headPayloads()]
const isRefused = ({ statuses }: Outcome) => statuses.every(status => status >= 400 && status < 500)

/** A stricter version than Debian's has fewer of those that are known. */
const beyond = (outcomes: readonly Outcome[], known: readonly string[]) =>
  outcomes.filter(({ name }) => !known.includes(name)).map(each => JSON.stringify(each))

/**
 * What these read as two requests, and hand on as two. Whoever sent it to them sent two, by their reading; nobody who shares
 * the connection to a replica is touched by it. None of it is ever one request for the gateway that it answers as two.
 */
const readAsTwo = {
  // It leaves out headers whose names are none, and the trailers of chunked bodies.
  nginx: [
    'TE.CL "\xadTransfer-Encoding"',
    'TE.CL "\\"Transfer-Encoding\\""',
    'TE.CL "Transfer-Encodin\xe7"',
    'CL named "Content-Lengt\xe8"',
    'chunk that is the last, ended by LF',
    'chunk that is the last, with a bad trailer',
    'chunk that is the last, with a folded trailer',
    'chunk that is the last, with NUL in a trailer',
  ],
  // It joins folded headers, as RFC 9112 §5.2 allows.
  haproxy: [
    'TE.CL " Transfer-Encoding"',
    'TE.CL "\\tTransfer-Encoding"',
    'TE.CL "X: x\\r\\n Transfer-Encoding"',
    'chunk that is the last, ended by LF',
    'chunk that is the last, with a folded trailer',
    'chunk that is the last, with NUL in a trailer',
  ],
} as const

/** What the gateway refuses and these put right before they hand it on: one request, of which nothing is left to be misread. */
const putRight = {
  nginx: [
    'header "name: a\\nb: c"',
    'header "na(me): x"',
    'header "na\xefme: x"',
    'header "\xff: x"',
    'line "GET P HTTP/1.1 "',
    'line "GET P HTTP/1.2"',
    'line "GET P HTTP/1.10"',
    'line "GET http://aP HTTP/1.1"',
    'line "GET http://bP HTTP/1.1"',
    'line "GET ftp://aP HTTP/1.1"',
    'Host "a:b"',
    'Host "a:80:80"',
    'Host "a:-1"',
    'LF alone between lines',
    'LF alone at the end',
  ],
  haproxy: [
    'header "name: a\\nb: c"',
    'header "name: a\\r\\n b"',
    'header "name: a\\r\\n\\tb"',
    'header "Host: a"',
    'line "GET\\tP\\tHTTP/1.1"',
    'LF alone between lines',
    'LF alone at the end',
  ],
} as const

test(`H01 ${payloads.length} requests that could be smuggled`, async t => {
  assert.ok(payloads.length >= 400)
  const backend = await startScriptedBackend(t, llamaServer())
  const reached: string[] = []
  const gateway = await buildGateway(t, {
    yaml: oneBackendYaml(backend.url),
    prepare: app => void app.server.prependListener('request', ({ url }) => reached.push(url ?? '')),
  })
  const behind = { port: gateway.port, probePort: gateway.port }

  await t.test('H01 two requests are two: the hidden one is seen where it is none', async () => {
    const body = '{}'
    const head = `POST /v1/embeddings?case=0000 HTTP/1.1\r\nHost: a\r\n${authorization}\r\nContent-Length: ${body.length}`
    const both = raw('a pipeline', at => `${head}\r\n\r\n${body}${hidden(at)}`)
    const [outcome] = await sendAll(t, gateway.url, [both], reached)
    assert.deepEqual([outcome?.statuses.length, outcome?.isHiddenReached], [2, true])
  })

  let direct: readonly Outcome[] = []
  await t.test('H01 the gateway refuses each, or serves what all agree about as one', async () => {
    reached.length = 0
    direct = await sendAll(t, gateway.url, payloads, reached)
    for (const [at, outcome] of direct.entries()) {
      const said = JSON.stringify(outcome)
      assert.ok(!outcome.isHiddenReached && outcome.statuses.length <= 1 && outcome.reached.length <= 1, said)
      if (payloads[at]?.isPlain === true) assert.equal(outcome.statuses.length, 1, said)
      else assert.ok(isRefused(outcome), said)
    }
    assert.deepEqual(backend.exchangesTo('/v1/chat/completions'), [])
  })

  for (const start of [startNginx, startHaproxy]) {
    const balancer = await start(t, [behind, behind])
    const { kind } = balancer
    await t.test(`H01 through ${kind} the verdict is the same, and what it hands on is what it read`, async () => {
      reached.length = 0
      const outcomes = await sendAll(t, balancer.url, payloads, reached)
      const logged = new Set(balancer.accessLog().map(({ path }) => path))
      for (const { name, reached: mine } of outcomes) {
        for (const url of mine)
          if (url.startsWith('/hidden/')) assert.ok(logged.has(url), `${kind} knows of no request ${url}: ${name}`)
      }
      const asTwo = outcomes.filter(({ isHiddenReached, statuses }) => isHiddenReached || statuses.length > 1)
      assert.deepEqual(beyond(asTwo, readAsTwo[kind]), [])
      const served = outcomes.filter((outcome, at) => payloads[at]?.isPlain === false && !isRefused(outcome))
      assert.deepEqual(beyond(served, putRight[kind]), [])
      assert.deepEqual(backend.exchangesTo('/v1/chat/completions'), [])
    })
  }
  assert.deepEqual(
    gateway.logLines.filter(({ level }) => Number(level) >= 50),
    [],
  )
})
