import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { KeySet, type KeySetOptions } from '../../src/auth/jwks.ts'
import { onEnd } from '../support/cleanup.ts'
import { type JwksServer, startJwksServer } from '../support/jwks-server.ts'
import { jwkOf, makeKeyPair } from '../support/jwt-maker.ts'
import { until } from '../support/until.ts'

const old = makeKeyPair('RS256')
const next = makeKeyPair('ES256')
const minuteMs = 60_000

function keySetOf(t: TestContext, url: string, algorithms: KeySetOptions['algorithms'] = ['RS256', 'ES256', 'EdDSA']) {
  const lines: string[] = []
  const log = {
    info: (_fields: object, message: string) => void lines.push(`info ${message}`),
    warn: (_fields: object, message: string) => void lines.push(`warn ${message}`),
  }
  const keySet = new KeySet({ url, algorithms, log })
  onEnd(t, () => keySet.close())
  return { keySet, lines }
}

const down = 'warn keys of an issuer of JWTs cannot be fetched'
const there = 'info keys of an issuer of JWTs are there'

/** What a search for the key comes to. */
async function findKind(keySet: KeySet, kid: string | null, algorithm: 'RS256' | 'ES256' | 'EdDSA' = 'RS256') {
  return (await keySet.find(kid, algorithm)).kind
}

async function getKey(keySet: KeySet, kid: string, algorithm: 'RS256' | 'ES256') {
  const found = await keySet.find(kid, algorithm)
  return found.kind === 'key' ? found.key : assert.fail(found.kind)
}

/** A wrong endpoint is one that has a key `b`, except that its answer is wrong. */
const breakages: Readonly<Record<string, Parameters<JwksServer['use']>[0]>> = {
  'status 500': (_request, response) => response.writeHead(500).end(JSON.stringify({ keys: [jwkOf(next, 'b')] })),
  garbage: (_request, response) => response.end('<html>it works!</html>'),
  'JSON that is no set of keys': (_request, response) => response.end('{"keys":"none"}'),
  'a redirect to the right answer': (request, response) => {
    if (request.url === '/keys') response.writeHead(302, { location: '/elsewhere' }).end()
    else response.end(JSON.stringify({ keys: [jwkOf(next, 'b')] }))
  },
  'a body of megabytes': (_request, response) => response.end(`{"keys":[],"x":"${'x'.repeat(2 * 1024 * 1024)}"}`),
  'an endless body': (_request, response) => {
    response.write('{"keys":[')
    const timer = setInterval(() => response.write('{},'.repeat(20_000)), 1)
    response.on('close', () => clearInterval(timer))
  },
  'a closed connection': request => request.socket.destroy(),
}

test('K09: while keys are changed, old and new ones hold; one that is gone does not', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_900_000_000_000 })
  const server = await startJwksServer(t, [jwkOf(old, 'a')])
  const { keySet, lines } = keySetOf(t, server.url)
  assert.equal(server.fetches, 0, 'it is fetched when first needed')
  const keyA = await getKey(keySet, 'a', 'RS256')
  assert.equal(keyA.pem, old.pem)
  assert.equal(await findKind(keySet, 'b', 'ES256'), 'unknown')

  server.publish(jwkOf(old, 'a'), jwkOf(next, 'b'))
  assert.equal(await findKind(keySet, 'b', 'ES256'), 'unknown', 'the last fetch is too recent')
  t.mock.timers.tick(30_000)
  const keyB = await getKey(keySet, 'b', 'ES256')
  assert.equal(keyB.pem, next.pem)
  assert.equal(await getKey(keySet, 'a', 'RS256'), keyA, 'the same key stays the same object')
  assert.equal(keySet.has(keyA), true)

  server.publish(jwkOf(next, 'b'))
  t.mock.timers.tick(10 * minuteMs + 1)
  assert.equal(keySet.has(keyA), true, 'asking fetches in the background')
  await until('the key is gone', () => !keySet.has(keyA))
  assert.equal(keySet.has(keyB), true)
  assert.equal(await getKey(keySet, 'b', 'ES256'), keyB)
  t.mock.timers.tick(30_000)
  assert.equal(await findKind(keySet, 'a'), 'unknown')
  assert.deepEqual(lines, [there])
})

test('K09: 10,000 random kids cost at most one fetch in 30 s', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_900_000_000_000 })
  const server = await startJwksServer(t, [jwkOf(old, 'a')])
  const { keySet } = keySetOf(t, server.url)
  let seconds = 0
  for (let round = 0; round < 100; round++) {
    const kinds = await Promise.all(Array.from({ length: 100 }, (_, index) => findKind(keySet, `${round}-${index}`)))
    assert.ok(kinds.every(kind => kind === 'unknown'))
    t.mock.timers.tick(3000)
    seconds += 3
  }
  assert.equal(seconds, 300)
  assert.equal(server.fetches, 10)

  server.use((_request, response) => response.writeHead(500).end())
  for (let round = 0; round < 100; round++) {
    await Promise.all(Array.from({ length: 100 }, (_, index) => findKind(keySet, `${round}-${index}`)))
    assert.equal(await findKind(keySet, 'a'), 'key')
    t.mock.timers.tick(3000)
  }
  assert.equal(server.fetches, 20, 'failed ones count')
})

test('K09: many that wait for the first fetch wait for one', async t => {
  const server = await startJwksServer(t)
  server.use(
    (_request, response) => void setTimeout(() => response.end(JSON.stringify({ keys: [jwkOf(old, 'a')] })), 50),
  )
  const { keySet } = keySetOf(t, server.url)
  const found = await Promise.all(Array.from({ length: 500 }, () => findKind(keySet, 'a')))
  assert.ok(found.every(kind => kind === 'key'))
  assert.equal(server.fetches, 1)
})

for (const [name, breakage] of Object.entries(breakages)) {
  test(`K09: ${name}: known keys hold for an hour, and it recovers alone`, async t => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_900_000_000_000 })
    const server = await startJwksServer(t, [jwkOf(old, 'a')])
    const { keySet, lines } = keySetOf(t, server.url)
    const keyA = await getKey(keySet, 'a', 'RS256')
    server.use(breakage)
    t.mock.timers.tick(30_000)
    assert.equal(await findKind(keySet, 'b', 'ES256'), 'unavailable', 'nobody can say whether there is such a key')
    assert.equal(server.fetches, 2)
    for (let minute = 1; minute < 60; minute++) {
      t.mock.timers.tick(minuteMs)
      assert.equal(await getKey(keySet, 'a', 'RS256'), keyA, `after ${minute} minutes`)
      assert.equal(keySet.has(keyA), true)
    }
    t.mock.timers.tick(29_000)
    assert.equal(keySet.has(keyA), true, 'after 59:59')
    t.mock.timers.tick(2000)
    assert.equal(keySet.has(keyA), false, 'after 1:00:01')
    const found = await keySet.find('a', 'RS256')
    assert.equal(found.kind, 'unavailable')
    if (found.kind === 'unavailable') assert.ok(found.retryAfterMs >= 1000 && found.retryAfterMs <= 2000)
    assert.deepEqual(lines, [there, down], 'said once')

    server.publish(jwkOf(next, 'b'))
    t.mock.timers.tick(2000)
    assert.equal(await findKind(keySet, 'b', 'ES256'), 'key')
    assert.equal(await findKind(keySet, 'a'), 'unknown')
    assert.deepEqual(lines, [there, down, there])
  })
}

test('K09: an endpoint that does not answer, or bit by bit, is given 3 s, once for all', async t => {
  const silent = await startJwksServer(t)
  silent.use(() => undefined)
  const slow = await startJwksServer(t)
  slow.use((_request, response) => {
    const timer = setInterval(() => response.write(' '), 100)
    response.on('close', () => clearInterval(timer))
  })
  for (const search of [silent, slow].map(async ({ url }) => {
    const { keySet } = keySetOf(t, url)
    const startedAt = performance.now()
    const kinds = await Promise.all(Array.from({ length: 50 }, (_, index) => findKind(keySet, `${index}`)))
    return { kinds, tookMs: performance.now() - startedAt }
  })) {
    const { kinds, tookMs } = await search
    assert.ok(kinds.every(kind => kind === 'unavailable'))
    assert.ok(tookMs > 2900 && tookMs < 3900, `${tookMs} ms`)
  }
  assert.deepEqual([silent.fetches, slow.fetches], [1, 1])
})

test('G05: an endpoint that is down at the start is tried again within 2 s', async t => {
  const { url, port, stop } = await startJwksServer(t)
  await stop()
  t.mock.timers.enable({ apis: ['Date'], now: 1_900_000_000_000 })
  const { keySet, lines } = keySetOf(t, url)
  const found = await keySet.find('a', 'RS256')
  assert.deepEqual(found, { kind: 'unavailable', retryAfterMs: 2000 })
  t.mock.timers.tick(1000)
  assert.deepEqual(await keySet.find('a', 'RS256'), { kind: 'unavailable', retryAfterMs: 1000 })
  assert.deepEqual(lines, [down])

  const late = await startJwksServer(t, [jwkOf(old, 'a')], port)
  t.mock.timers.tick(1000)
  assert.equal(await findKind(keySet, 'a'), 'key')
  assert.equal(late.fetches, 1)
})

test('K09: keys that nobody has asked for in a while are fetched before they are used', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_900_000_000_000 })
  const server = await startJwksServer(t, [jwkOf(old, 'a')])
  const { keySet } = keySetOf(t, server.url)
  assert.equal(await findKind(keySet, 'a'), 'key')
  server.publish(jwkOf(next, 'b'))
  t.mock.timers.tick(50 * minuteMs)
  assert.equal(await findKind(keySet, 'a'), 'unknown')
  server.use((_request, response) => response.writeHead(500).end())
  t.mock.timers.tick(50 * minuteMs)
  assert.equal(await findKind(keySet, 'b', 'ES256'), 'key', 'and used all the same where that fails')
})

test('a clock that is set back does not stop it', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_900_000_000_000 })
  const server = await startJwksServer(t, [jwkOf(old, 'a')])
  const { keySet } = keySetOf(t, server.url)
  assert.equal(await findKind(keySet, 'a'), 'key')
  server.publish(jwkOf(next, 'b'))
  t.mock.timers.setTime(1_900_000_000_000 - 24 * 60 * minuteMs)
  assert.equal(await findKind(keySet, 'b', 'ES256'), 'key')
})

test('only what the configuration allows is kept, and a set without any is said', async t => {
  const server = await startJwksServer(t, [jwkOf(old, 'a'), jwkOf(next, 'a')])
  const { keySet } = keySetOf(t, server.url, ['ES256'])
  assert.equal(await findKind(keySet, 'a', 'ES256'), 'key')
  assert.equal(await findKind(keySet, 'a', 'RS256'), 'unknown')
  const { keySet: none, lines } = keySetOf(t, server.url, ['EdDSA'])
  assert.equal(await findKind(none, 'a', 'EdDSA'), 'unknown')
  assert.deepEqual(lines, ['warn an issuer of JWTs has no keys that can be used'])
})

test('closing ends a fetch that is under way, without a word', async t => {
  const server = await startJwksServer(t)
  server.use(() => undefined)
  const { keySet, lines } = keySetOf(t, server.url)
  const found = keySet.find('a', 'RS256')
  await until('it is fetched', () => server.fetches === 1)
  const startedAt = performance.now()
  await keySet.close()
  assert.equal((await found).kind, 'unavailable')
  assert.ok(performance.now() - startedAt < 500)
  await delay(10)
  assert.deepEqual(lines, [])
})
