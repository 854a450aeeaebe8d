/** Requests whose head, method or version two readers may understand differently. */
import { authorization, hidden, number, type Payload, plain, raw } from './smuggling.ts'

const models = (at: number) => `/v1/models?case=${number(at)}`

/** A whole GET with this text in the place of a header. */
const headed = (line: string, isPlain = false): Payload => {
  const text = (at: number) => `GET ${models(at)} HTTP/1.1\r\nHost: a\r\n${authorization}\r\n${line}\r\n\r\n`
  return raw(`header ${JSON.stringify(line)}`, text, isPlain)
}

/** A whole request that begins so; P is the path. */
const begun = (line: string, isPlain = false): Payload => {
  const text = (at: number) => `${line.replace('P', models(at))}\r\nHost: a\r\n${authorization}\r\n\r\n`
  return raw(`line ${JSON.stringify(line)}`, text, isPlain)
}

const hosted = (host: string, isPlain = false): Payload => {
  const text = (at: number) => `GET ${models(at)} HTTP/1.1\r\n${authorization}\r\nHost: ${host}\r\n\r\n`
  return raw(`Host ${JSON.stringify(host)}`, text, isPlain)
}

const headers = [
  ...[
    'bad header',
    ': empty name',
    'bad name: x',
    'bad\tname: x',
    'name : x',
    ' folded: x',
    '\tfolded: x',
    'na\0me: x',
  ],
  ...[
    'name: \0',
    'name: a\rb',
    'name: a\nb: c',
    'name: a\r\n b',
    'name: a\r\n\tb',
    'na(me): x',
    'na\xefme: x',
    '\xff: x',
  ],
  ...['Host: a', 'Host: b', 'host:b', 'Host : b', ' Host: b', 'Host\0: b', 'Expect: 100-contin\0ue'],
]

/** A header of any name is nobody's business, nor is one that asks for what is not done here. */
const plainHeaders = [
  ...['__proto__: x', '__proto__: {"a":1}', 'constructor: x', 'prototype: x', 'hasOwnProperty: x', 'toString: x'],
  ...['Connection: Host', 'Connection: close, Host', 'Connection: keep-alive, Transfer-Encoding', 'Upgrade: h2c'],
  ...['Expect: 100-continue', 'X-HTTP-Method-Override: POST', 'X-Original-URL: /hidden', 'X-Rewrite-URL: /hidden'],
  ...['X-Forwarded-Host: b', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAA'],
]

const lines = [
  ...['GET\tP\tHTTP/1.1', ' GET P HTTP/1.1', 'get P HTTP/1.1', 'GET P HTTP/1.1 ', 'GET P HTTP/1.1\t', 'GET P http/1.1'],
  ...['GET P HTTP/1.2', 'GET P HTTP/2.0', 'GET P HTTP/1.10', 'GET P HTTP/01.1', 'GET P HTTP/1', 'GET P HTTP/ 1.1'],
  ...['GET P HTTP1.1', 'GET P', 'GET P HTTP/0.9', 'GET P\0 HTTP/1.1', 'GET P\xff HTTP/1.1', 'GET P#f HTTP/1.1'],
  ...['GET P x HTTP/1.1', 'GETP HTTP/1.1', 'G\0ET P HTTP/1.1', 'GET\x0bP HTTP/1.1', 'GET P\rHTTP/1.1', 'P HTTP/1.1'],
  ...['HTTP/1.1 200 OK', 'FOO P HTTP/1.1', 'TRACE P HTTP/1.1', 'CONNECT P HTTP/1.1', 'CONNECT a:80 HTTP/1.1'],
  ...['OPTIONS * HTTP/1.1', 'GET * HTTP/1.1', 'GET http://aP HTTP/1.1', 'GET http://bP HTTP/1.1'],
  ...['GET http://u:p@aP HTTP/1.1', 'GET ftp://aP HTTP/1.1', 'GET //aP HTTP/1.1', 'GET a HTTP/1.1', 'GET ?a HTTP/1.1'],
  ...['GET http:/P HTTP/1.1', 'PRI * HTTP/2.0'],
]

/** RFC 9112 lets a reader be so lenient, and these three are. */
const plainLines = ['GET  P HTTP/1.1', 'GET P  HTTP/1.1', '\r\nGET P HTTP/1.1', '\nGET P HTTP/1.1', 'GET P HTTP/1.0']

const hosts = ['a b', 'a/b', 'a@b', 'a:b', 'a:80:80', 'a\tb', '[::1', 'a\0', 'a?b', 'a#b', 'a\xff', 'a:-1', 'a\\b']
const plainHosts = ['a:80', 'A.b', '[::1]:80', 'a,b', '%00', "a'"]

/** Answered before their body is looked at: it must not be taken for the next request. */
const early: readonly (readonly [string, string])[] = [
  ['GET', '/'],
  ['HEAD', '/'],
  ['GET', '/health'],
  ['GET', '/nothing'],
  ['POST', '/nothing'],
  ['DELETE', '/v1/models'],
  ['POST', '/v1/models/%zz'],
  ['PATCH', '/v1/chat/completions'],
  ['OPTIONS', '/v1/chat/completions'],
  ['PUT', '/health'],
  ['POST', '/admin/keys'],
  ['GET', '/v1/models'],
]

const others: readonly Payload[] = [
  raw('TLS hello', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello'),
  raw('HTTP/2 preface', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'),
  raw('HTTP/2 frame', () => '\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\x02\0\0'),
  raw('PROXY protocol', at => `PROXY TCP4 9.9.9.9 9.9.9.8 1 2\r\nGET ${models(at)} HTTP/1.1\r\nHost: a\r\n\r\n`),
  raw('SSH', () => 'SSH-2.0-OpenSSH_9.2\r\n'),
  raw('SMTP', () => 'EHLO a\r\nMAIL FROM:<a>\r\n'),
  raw('nothing but line ends', () => '\r\n'.repeat(2000)),
  raw('LF alone between lines', at => `GET ${models(at)} HTTP/1.1\nHost: a\n${authorization}\n\n`),
  raw('CR alone between lines', at => `GET ${models(at)} HTTP/1.1\rHost: a\r${authorization}\r\r`),
  raw('LF alone at the end', at => `GET ${models(at)} HTTP/1.1\r\nHost: a\r\n${authorization}\r\n\n`),
  raw('no Host', at => `GET ${models(at)} HTTP/1.1\r\n${authorization}\r\n\r\n`),
  raw('300 headers', at => `GET ${models(at)} HTTP/1.1\r\nHost: a\r\n${'a: b\r\n'.repeat(300)}\r\n`),
  raw('headers of 40 KiB', at => `GET ${models(at)} HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`),
  raw('a URL of 40 KiB', at => `GET ${models(at)}&x=${'x'.repeat(40_000)} HTTP/1.1\r\nHost: a\r\n\r\n`),
  raw('chunked in HTTP/1.0', at => {
    const body = `0\r\n\r\n${hidden(at)}`
    const head = `POST /v1/chat/completions?case=${number(at)} HTTP/1.0\r\nHost: a\r\n${authorization}`
    return `${head}\r\nTransfer-Encoding: chunked\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  }),
]

export const headPayloads = (): Payload[] => [
  ...headers.map(line => headed(line)),
  ...plainHeaders.map(line => headed(line, true)),
  ...lines.map(line => begun(line)),
  ...plainLines.map(line => begun(line, true)),
  ...hosts.map(host => hosted(host)),
  ...plainHosts.map(host => hosted(host, true)),
  ...early.flatMap(([method, path]) => [
    plain(`CL.0 ${method} ${path}`, at => {
      const body = hidden(at)
      return { method, path, lines: [`Content-Length: ${body.length}`], body }
    }),
    plain(`TE.0 ${method} ${path}`, at => {
      const body = `${hidden(at).length.toString(16)}\r\n${hidden(at)}\r\n0\r\n\r\n`
      return { method, path, lines: ['Transfer-Encoding: chunked'], body }
    }),
  ]),
  ...others,
]
