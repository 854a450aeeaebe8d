import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headFault } from '../../src/domain/request-head.ts'

const withHost = (host: string) => headFault({ httpVersion: '1.1', url: '/', rawHeaders: ['HOST', host] })
const withTarget = (url: string) => headFault({ httpVersion: '1.1', url, rawHeaders: ['Host', 'a'] })
const withVersion = (httpVersion: string) => headFault({ httpVersion, url: '/', rawHeaders: ['Host', 'a'] })

test('a host is a name or an address, with a port or without', () => {
  for (const host of ['a', 'A.b-c', 'a:80', 'a:', '127.0.0.1:4000', '[::1]', '[::ffff:1.2.3.4]:80', '', 'x_y', 'a%20b'])
    assert.equal(withHost(host), undefined, host)
  for (const host of ['a b', 'a/b', 'u@a', 'a:b', 'a:1:2', '[::1', '[x]', 'a?b', 'a#b', 'a\\b', 'a\xff', 'a:999999'])
    assert.match(withHost(host) ?? '', /^The Host header is not/, host)
})

test('there is one Host, but for HTTP/1.0, which may have none', () => {
  const hosts = (...rawHeaders: string[]) =>
    ['1.1', '1.0'].map(httpVersion => headFault({ httpVersion, url: '/', rawHeaders }))
  const missing = 'A request needs one Host header.'
  assert.deepEqual(hosts('X', 'host', 'Accept', 'a'), [missing, undefined])
  assert.deepEqual(hosts('Host', 'a', 'host', 'a'), [missing, missing])
})

test('the target is a path', () => {
  for (const url of ['/', '/v1/models?x=#'.slice(0, -1), '//a', '/v1/models/a%2Fb'])
    assert.equal(withTarget(url), undefined, url)
  for (const url of ['', '*', 'a', 'http://a/v1/models', 'ftp://a/', '/a#b', '?a'])
    assert.match(withTarget(url) ?? '', /^The target of a request is a path/, url)
})

test('no other version than HTTP/1.1 and HTTP/1.0', () => {
  assert.deepEqual([withVersion('1.1'), withVersion('1.0')], [undefined, undefined])
  for (const version of ['0.9', '2.0', '1.2', '']) assert.match(withVersion(version) ?? '', /HTTP\/1\.1 and HTTP\/1\.0/)
})
