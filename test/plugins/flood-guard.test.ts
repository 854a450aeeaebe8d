import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, buildFloodApp, type FloodApp } from '../support/flood-app.ts'

const wrong = { key: 'wrong' }

/** One after the other: the library looks at its count a moment late, and those of one moment all see its end. */
async function statuses(questions: readonly (() => Promise<Answer>)[]): Promise<number[]> {
  const found: number[] = []
  for (const ask of questions) found.push((await ask()).statusCode)
  return found
}

/** The statuses of one request from each address, one after the other. */
function inTurn({ ask }: FloodApp, addresses: readonly string[]): Promise<number[]> {
  return statuses(addresses.map(address => () => ask(address)))
}

async function denials({ app }: FloodApp): Promise<Record<string, number>> {
  const { text } = await app.meters.expose()
  const series = text.matchAll(/^weir_flood_guard_denials_total\{reason="(\w+)"\} (\d+)$/gm)
  return Object.fromEntries([...series].map(([, reason, count]) => [reason, Number(count)]))
}

test('L13 all addresses of a /64 are one, another /64 is another', async t => {
  const guarded = await buildFloodApp(t, { requestsPerMinute: 2 })
  const one = ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:DB8::1:0:0:0:3']
  assert.deepEqual(await inTurn(guarded, one), [200, 200, 429])
  assert.deepEqual(await inTurn(guarded, ['2001:db8:0:2::1', '2001:db8:0:2::2']), [200, 200])
})

test('L13 an IPv4 address is one in each of its forms', async t => {
  const guarded = await buildFloodApp(t, { requestsPerMinute: 3 })
  const forms = ['1.2.3.4', '::ffff:1.2.3.4', '::FFFF:102:304', '1.2.3.4']
  assert.deepEqual(await inTurn(guarded, forms), [200, 200, 200, 429])
  // All mapped addresses are in one /64.
  assert.deepEqual(await inTurn(guarded, ['::ffff:1.2.3.5']), [200])
})

test('L13 H05 what a caller says of its own address has no effect', async t => {
  const guarded = await buildFloodApp(t, { requestsPerMinute: 2 })
  const names = ['x-forwarded-for', 'forwarded', 'x-real-ip']
  const spoofs = names.map((name, index) => {
    const address = `9.9.9.${index}`
    return () => guarded.ask('203.0.113.1', { headers: { [name]: name === 'forwarded' ? `for=${address}` : address } })
  })
  assert.deepEqual(await statuses(spoofs), [200, 200, 429])
  // Nor does it use up what others have.
  assert.deepEqual(await inTurn(guarded, ['9.9.9.0']), [200])
})

test('L13 through a listed proxy the last address that is none of ours counts, whatever stands before it', async t => {
  for (const proxy of ['10.0.0.1', '::ffff:10.0.0.1']) {
    const guarded = await buildFloodApp(t, { requestsPerMinute: 2, trustedProxies: ['10.0.0.0/8'] })
    const via =
      (forwardedFor: string, more: Record<string, string> = {}) =>
      () =>
        guarded.ask(proxy, { headers: { 'x-forwarded-for': forwardedFor, ...more } })
    const spoofs = ['9.9.9.1, 198.51.100.7', 'nonsense, 198.51.100.7', '9.9.9.2, 198.51.100.7, 10.0.0.2']
    assert.deepEqual(await statuses(spoofs.map(text => via(text))), [200, 200, 429], proxy)
    const others = [via('198.51.100.7, 198.51.100.8'), via('198.51.100.9:4711'), via('198.51.100.9:4712')]
    assert.deepEqual(await statuses(others), [200, 200, 200])
    assert.deepEqual(await statuses([via('198.51.100.9:4713')]), [429], 'a port is not a part of the address')
    // Headers that are believed from nobody.
    const unread = { forwarded: 'for=9.9.9.3', 'x-real-ip': '9.9.9.4' }
    assert.deepEqual(await statuses([via('198.51.100.7', unread)]), [429])
  }
})

test('L13 a proxy that passes on text which is no address makes nobody new', async t => {
  const guarded = await buildFloodApp(t, { requestsPerMinute: 2, trustedProxies: ['10.0.0.0/8'] })
  const texts = ['unknown', 'x'.repeat(5000), 'someone']
  const answers = texts.map(text => () => guarded.ask('10.0.0.1', { headers: { 'x-forwarded-for': text } }))
  assert.deepEqual(await statuses(answers), [200, 200, 429])
})

test('L13 a refusal is a 429 of ours that says how long to wait and whose limit it is', async t => {
  const guarded = await buildFloodApp(t, { requestsPerMinute: 1, failuresPerMinute: 1 })
  const first = await guarded.ask('1.1.1.1')
  const requests = await guarded.ask('1.1.1.1')
  const passed = await guarded.ask('2.2.2.2', wrong)
  assert.deepEqual([first.statusCode, requests.statusCode, passed.statusCode], [200, 429, 401])
  const { ask, app } = await buildFloodApp(t, { failuresPerMinute: 1 })
  assert.equal((await ask('2.2.2.2', wrong)).statusCode, 401)
  const failures = await ask('2.2.2.2')
  const texts = [
    [
      requests,
      /^Too many requests from this address: 1 a minute .* in \d+ s\. .*server\.floodGuard\.requestsPerMinute/,
    ],
    [failures, /^Too many failed requests from this address: 1 a minute .* in \d+ s\. .*floodGuard\.failuresPerMinute/],
  ] as const
  for (const [{ statusCode, headers, json }, message] of texts) {
    assert.equal(statusCode, 429)
    const { error } = json()
    assert.match(error.message, message)
    const { message: _, ...rest } = error
    assert.deepEqual(rest, { type: 'requests', param: null, code: 'rate_limit_exceeded' })
    const waitMs = Number(headers['retry-after-ms'])
    assert.ok(waitMs > 50_000 && waitMs <= 60_000, `${waitMs}`)
    assert.equal(headers['retry-after'], String(Math.ceil(waitMs / 1000)))
    assert.match(String(headers['x-request-id']), /^./)
    assert.deepEqual(
      Object.keys(headers).filter(name => name.includes('ratelimit')),
      [],
    )
  }
  const fine = await ask('3.3.3.3')
  assert.deepEqual(
    Object.keys(fine.headers).filter(name => name.includes('ratelimit') || name.startsWith('retry')),
    [],
  )
  assert.deepEqual(await denials({ ...guarded, app }), { requests: 0, failures: 1 })
})

test('L13 who waits as long as the answer says is let in', async t => {
  // Long enough for what comes before the wait also on a machine that is busy.
  const windowMs = 500
  for (const bound of ['requestsPerMinute', 'failuresPerMinute'] as const) {
    const { ask } = await buildFloodApp(t, { [bound]: 1, windowMs })
    await ask('1.1.1.1', wrong)
    const refused = await ask('1.1.1.1')
    assert.equal(refused.statusCode, 429)
    const waitMs = Number(refused.headers['retry-after-ms'])
    assert.ok(waitMs > 0 && waitMs <= windowMs, `${waitMs}`)
    // Timers may come a millisecond early.
    await delay(waitMs + 2)
    assert.equal((await ask('1.1.1.1')).statusCode, 200)
  }
})

test('L13 a wrong key, an unknown URL and a wrong method cost extra; what is right does not', async t => {
  const costly = [
    wrong,
    { url: '/nothing' },
    { url: '/keyed/' },
    { method: 'POST' },
    { url: '/open', method: 'POST' },
  ] as const
  for (const request of costly) {
    const { ask } = await buildFloodApp(t, { requestsPerMinute: 100, failuresPerMinute: 2 })
    for (let n = 0; n < 5; n += 1) assert.equal((await ask('1.1.1.1')).statusCode, 200)
    for (let n = 0; n < 2; n += 1) assert.ok([401, 404, 405].includes((await ask('1.1.1.1', request)).statusCode))
    assert.equal((await ask('1.1.1.1')).statusCode, 429, JSON.stringify(request))
    assert.equal((await ask('1.1.1.2')).statusCode, 200)
  }
})

test('L13 where the failures are used up no key is looked at, and what needs none is answered', async t => {
  const guarded = await buildFloodApp(t, { failuresPerMinute: 3 })
  const { ask, lookedAt } = guarded
  for (let n = 0; n < 3; n += 1) assert.equal((await ask('1.1.1.1', wrong)).statusCode, 401)
  const before = lookedAt()
  const [right, guessed] = [await ask('1.1.1.1'), await ask('1.1.1.1', wrong)]
  assert.deepEqual([right.statusCode, guessed.statusCode, lookedAt() - before], [429, 429, 0])
  // Nothing in the answers tells the right key from the wrong one but the time that has passed.
  const plain = (text: string) => text.replace(/in \d+ s/, '')
  assert.equal(plain(right.body), plain(guessed.body))
  assert.equal((await ask('1.1.1.1', { url: '/open' })).statusCode, 200)
  assert.equal((await ask('1.1.1.1', { url: '/nothing' })).statusCode, 404)
  assert.deepEqual(await denials(guarded), { requests: 0, failures: 2 })
})

test('0 turns either off', async t => {
  const { ask, warnings } = await buildFloodApp(t, {})
  for (let n = 0; n < 20; n += 1) {
    const answer = await ask('10.0.0.1', { key: 'wrong', headers: { 'x-forwarded-for': '9.9.9.9' } })
    assert.equal(answer.statusCode, 401)
  }
  assert.deepEqual(warnings, [], 'where nobody is counted nobody is counted as one')
})

test('other bounds hold at once, also for the minute that has begun', async t => {
  const guarded = await buildFloodApp(t, {})
  const passed: number[] = []
  for (const most of [0, 2, 4, 0]) {
    guarded.bounds.requestsPerMinute = most
    passed.push((await inTurn(guarded, Array(3).fill('1.2.3.4'))).filter(status => status === 200).length)
  }
  assert.deepEqual(passed, [3, 2, 1, 3])
  guarded.bounds.failuresPerMinute = 1
  assert.deepEqual(await statuses([wrong, {}].map(sent => () => guarded.ask('5.6.7.8', sent))), [401, 429])
})

test('it remembers a bounded number of addresses and forgets who has been quiet for longest', async t => {
  const guarded = await buildFloodApp(t, { requestsPerMinute: 1, failuresPerMinute: 1, maxAddresses: 10 })
  const others = Array.from({ length: 10 }, (_, index) => `2.2.2.${index}`)
  assert.deepEqual(await inTurn(guarded, ['1.1.1.1', '1.1.1.1']), [200, 429])
  await inTurn(guarded, others.slice(1))
  assert.deepEqual(await inTurn(guarded, ['1.1.1.1']), [429], 'not full yet')
  await inTurn(guarded, others)
  assert.deepEqual(await inTurn(guarded, ['1.1.1.1']), [200])
  // The second counter has a bound of its own; the library would give it another.
  const failing = await buildFloodApp(t, { failuresPerMinute: 1, maxAddresses: 10 })
  await failing.ask('1.1.1.1', wrong)
  assert.deepEqual(await inTurn(failing, ['1.1.1.1']), [429])
  for (const address of others) await failing.ask(address, wrong)
  assert.deepEqual(await inTurn(failing, ['1.1.1.1']), [200])
})

test('L13 a proxy that is not listed is named once', async t => {
  const suspects = [
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '127.0.0.1',
    '::1',
    'fd00::1',
    'fe80::1',
    '::ffff:10.1.2.3',
    '::ffff:127.0.0.1',
  ]
  const headers = { 'x-forwarded-for': '9.9.9.9' }
  for (const suspect of suspects) {
    const { ask, warnings } = await buildFloodApp(t, { requestsPerMinute: 100, trustedProxies: ['10.9.0.0/16'] })
    for (const from of [suspect, suspect, '192.168.7.7']) await ask(from, { headers })
    const text = `${suspect} looks like a proxy that is not in TRUSTED_PROXIES; all its callers count as one address`
    assert.deepEqual(warnings, [text])
  }
})

test('L13 callers that are no proxies, and proxies that are listed, are not named', async t => {
  const trustedProxies = ['10.0.0.0/8', 'fd00::/8']
  const { ask, warnings } = await buildFloodApp(t, { requestsPerMinute: 100, trustedProxies })
  const all = { 'x-forwarded-for': '9.9.9.9', forwarded: 'for=9.9.9.9', 'x-real-ip': '9.9.9.9' }
  const harmless = [
    '203.0.113.1',
    '172.32.0.1',
    '100.128.0.1',
    '2001:db8::1',
    '::ffff:8.8.8.8',
    '10.1.1.1',
    'fd00::1',
    '::ffff:10.1.1.1',
  ]
  for (const from of harmless) await ask(from, { headers: all })
  await ask('192.168.1.1')
  assert.deepEqual(warnings, [])
  for (const [name, value] of Object.entries(all)) {
    const other = await buildFloodApp(t, { requestsPerMinute: 100 })
    await other.ask('192.168.1.1', { headers: { [name]: value } })
    assert.equal(other.warnings.length, 1, name)
  }
})
