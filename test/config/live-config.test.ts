import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { LiveConfig, type ReloadOutcome } from '../../src/config/live-config.ts'
import { ConfigError, problemIn } from '../../src/config/problem.ts'
import { loadConfig } from '../../src/config.ts'
import { makeFolder } from './load.ts'

const yaml = (text = '') => `backends: { a: { url: "http://a" } }\n${text}`

/** A configuration that is read from a file of its own; `write` puts another text there. */
function build(t: TestContext, text = yaml(), env: NodeJS.ProcessEnv = {}) {
  const folder = makeFolder(t, { 'weir.yaml': text })
  let reads = 0
  const read = () => {
    reads += 1
    return loadConfig({ argv: [], env, cwd: folder })
  }
  const live = new LiveConfig({ loaded: read(), read })
  const write = (next: string) => writeFileSync(join(folder, 'weir.yaml'), next)
  return { live, write, folder, reads: () => reads - 1 }
}

function assertApplied(outcome: ReloadOutcome) {
  assert.ok(outcome.kind === 'applied' || outcome.kind === 'unchanged', JSON.stringify(outcome))
  return outcome
}

test('what can change does, by name, and all who hold something of it take it on in one turn', async t => {
  const { live, write } = build(t)
  const before = live.current
  const seen: string[] = []
  for (const name of ['one', 'two']) {
    live.onReload(next => {
      assert.equal(live.current, before)
      seen.push(`${name} prepares`)
      return { commit: () => seen.push(`${name} has ${Object.keys(next.backends)}`) }
    })
  }
  write(
    'backends: { b: { url: "http://b" } }\ntiers: { free: { limits: { requestsPerMinute: 7 } } }\nlog: { level: warn }\nserver: { heartbeat: 5s, floodGuard: { failuresPerMinute: 9 } }\n',
  )
  const { kind, changed, needsRestart } = assertApplied(await live.reload('test'))
  assert.equal(kind, 'applied')
  assert.deepEqual(changed, [
    'server.floodGuard.failuresPerMinute',
    'server.heartbeat',
    'log.level',
    'backends.a',
    'backends.b',
    'tiers.free.limits.requestsPerMinute',
    'tiers.free.limits.tokensPerMinute',
    'tiers.free.limits.requestsInFlight',
  ])
  assert.deepEqual(needsRestart, [])
  assert.deepEqual(seen, ['one prepares', 'two prepares', 'one has b', 'two has b'])
  assert.equal(live.current.tiers['free']?.limits.requestsPerMinute, 7)
  assert.equal(live.current.server.heartbeatMs, 5000)
  assert.equal(live.current.log.level, 'warn')
  assert.equal(before.log.level, 'info')
  assert.ok(Object.isFrozen(live.current) && Object.isFrozen(live.current.server))
})

test('what cannot change without a restart is named and stays, and the rest is taken on', async t => {
  const secret = 'a pepper that nobody must ever see in a log'
  const { live, write } = build(t, yaml(), { OLD: 'the old pepper, which is long enough', NEW: secret })
  const { port, host } = live.current.server
  write(
    yaml(
      'server: { port: 4001, maxBody: 1MiB, urlImages: true }\nstores: { replicas: 3 }\nauth: { keyPepper: { env: NEW } }\n',
    ),
  )
  const outcome = assertApplied(await live.reload('test'))
  assert.equal(outcome.kind, 'applied')
  assert.deepEqual(outcome.changed, ['server.urlImages'])
  assert.deepEqual(outcome.needsRestart, ['server.port', 'server.maxBody', 'stores.replicas', 'auth.keyPepper'])
  assert.ok(!JSON.stringify(outcome).includes(secret))
  assert.deepEqual([live.current.server.port, live.current.server.host], [port, host])
  assert.equal(live.current.auth.keyPepper, undefined)
  assert.equal(live.current.server.urlImages, true)
  // The next reload says so again.
  const again = assertApplied(await live.reload('test'))
  assert.equal(again.kind, 'unchanged')
  assert.deepEqual(again.needsRestart, outcome.needsRestart)
})

test('flags and environment still come before the file', async t => {
  const { live, write } = build(t, yaml(), { LOG_LEVEL: 'error', FLOOD_GUARD_REQUESTS: '5' })
  write(yaml('log: { level: debug }\nserver: { floodGuard: { requestsPerMinute: 6 } }\n'))
  assert.equal(assertApplied(await live.reload('test')).kind, 'unchanged')
  assert.deepEqual([live.current.log.level, live.current.server.floodGuard.requestsPerMinute], ['error', 5])
})

test('an invalid file changes nothing, and says what check-config says of it', async t => {
  const { live, write } = build(t)
  const { current, digest } = live
  live.onReload(() => assert.fail('nobody prepares for what cannot be used'))
  write(yaml('tiers: { free: { limit: {} } }\nlog: { level: loud }\n'))
  const outcome = await live.reload('test')
  assert.equal(outcome.kind, 'refused')
  const problems = outcome.kind === 'refused' ? outcome.problems : []
  assert.deepEqual(
    problems.map(({ where, key }) => [where, key]),
    [
      ['weir.yaml:2:18', 'tiers.free.limit'],
      ['weir.yaml:3:15', 'log.level'],
    ],
  )
  assert.equal(live.current, current)
  assert.equal(live.digest, digest)
})

test('where one cannot take it on nobody does', async t => {
  const { live, write } = build(t)
  const { current } = live
  const committed: string[] = []
  live.onReload(() => ({ commit: () => committed.push('first') }))
  live.onReload(() => {
    throw new ConfigError([problemIn('weir.yaml', ['backends', 'x'], { problem: 'No.', fix: 'Try another.' })])
  })
  write(yaml('log: { level: warn }\n'))
  const outcome = await live.reload('test')
  assert.deepEqual([outcome.kind, committed, live.current === current], ['refused', [], true])
})

test('a file that is gone is no empty one', async t => {
  const { live, folder, write } = build(t)
  rmSync(join(folder, 'weir.yaml'))
  const outcome = await live.reload('test')
  assert.match(outcome.kind === 'refused' ? (outcome.problems[0]?.problem ?? '') : '', /gone/)
  assert.deepEqual(Object.keys(live.current.backends), ['a'])
  write(yaml('log: { level: warn }\n'))
  assert.equal((await live.reload('test')).kind, 'applied')
})

test('who asks while one runs shares the next, which reads what was written meanwhile', async t => {
  const { live, write, reads } = build(t)
  const told: string[] = []
  live.onOutcome((outcome, causes) => told.push(`${[...causes]}: ${outcome.kind}`))
  write(yaml('log: { level: warn }\n'))
  const first = live.reload('one')
  const others = ['two', 'three', 'two'].map(cause => live.reload(cause))
  await first
  assert.equal(reads(), 1)
  write(yaml('log: { level: error }\n'))
  for (const other of await Promise.all(others)) assert.equal(other.kind, 'applied')
  assert.equal(live.current.log.level, 'error')
  assert.equal(reads(), 2)
  assert.equal((await live.reload('four')).kind, 'unchanged')
  assert.deepEqual(told, ['one: applied', 'two,three: applied', 'four: unchanged'])
})

test('the swap has a turn of its own: what runs to its end in one turn sees one configuration', async t => {
  const { live, write } = build(t)
  write(yaml('log: { level: warn }\n'))
  const reloaded = live.reload('test')
  const seen = new Set([live.current])
  for (let step = 0; step < 1000; step += 1) {
    await null
    seen.add(live.current)
  }
  assert.equal(seen.size, 1)
  await reloaded
  assert.equal(live.current.log.level, 'warn')
})

test('tiers that say the same stay the same object, and a closed one reads nothing any more', async t => {
  const { live, write, reads } = build(t)
  const { tiers } = live.current
  write(yaml('log: { level: warn }\ntiers: { free: {} }\n'))
  assert.equal((await live.reload('test')).kind, 'applied')
  assert.equal(live.current.tiers, tiers)
  live.close()
  assert.equal((await live.reload('test')).kind, 'failed')
  assert.equal(reads(), 1)
})

test('a file that was cut short is not a configuration without backends', async t => {
  const { live, write } = build(t)
  write('')
  const outcome = await live.reload('test')
  assert.ok(outcome.kind === 'refused')
  assert.match(outcome.problems[0]?.problem ?? '', /is empty now/)
  assert.deepEqual(Object.keys(live.current.backends), ['a'])
  // Whoever means it can say so.
  write('# nothing\n')
  assertApplied(await live.reload('test'))
  assert.deepEqual(Object.keys(live.current.backends), [])
})

test('an empty file stays one', async t => {
  const { live } = build(t, '')
  assert.equal(assertApplied(await live.reload('test')).kind, 'unchanged')
})
