import { deepEqual, equal, fail, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Fault } from '../../src/backend/fault.ts'
import { admissionWorld, placeOf, ScriptedServer, waitOf } from './admission-world.ts'

const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length

test('a place is had at once as long as a slot is free, and the next call has it before its release returns', async t => {
  const { admission, admit, gauge, told } = admissionWorld(t)
  const server = new ScriptedServer('one', 2)
  const first = placeOf(admit({ servers: [server], account: 'a' }))
  placeOf(admit({ servers: [server], account: 'b' }))
  const waiting = waitOf(admit({ servers: [server], account: 'c' }))
  deepEqual([admission.inFlight('one'), admission.waiting('one'), gauge.waiting], [2, 1, 1])
  first.release()
  deepEqual([admission.inFlight('one'), admission.waiting('one'), gauge.waiting], [2, 0, 0])
  deepEqual(told, ['a on one after 0', 'b on one after 0', 'c on one after 0'])
  equal((await waiting.place).candidate.server, server)
})

test('whoever begins to wait is told how many are before it, and the longest wait is that of the first', async t => {
  const { admission, admit, clock, positions } = admissionWorld(t, { maxWaiting: 2000 })
  const servers = [new ScriptedServer('one'), new ScriptedServer('two')]
  const [held] = servers.map(server => placeOf(admit({ servers: [server] })))
  deepEqual([positions, admission.longestWaitMs('one')], [[], 0])
  const first = waitOf(admit({ servers: servers.slice(0, 1) }))
  clock.ms += 300
  waitOf(admit({ servers }))
  waitOf(admit({ servers, account: 'other', priority: 90 }))
  waitOf(admit({ servers: servers.slice(0, 1), account: 'other' }))
  clock.ms += 100
  deepEqual(positions, [0, 0, 0, 2])
  deepEqual([admission.longestWaitMs('one'), admission.longestWaitMs('two')], [400, 100])
  held?.release()
  first.cancel()
  deepEqual([admission.longestWaitMs('one'), admission.longestWaitMs('none of that name')], [100, 0])
})

test('a place is given back once', t => {
  const { admission, admit } = admissionWorld(t)
  const servers = [new ScriptedServer('one', 2)]
  const place = placeOf(admit({ servers }))
  placeOf(admit({ servers }))
  place.release()
  place.release()
  equal(admission.inFlight('one'), 1)
})

test('a backend whose slots nobody knows has no bound', t => {
  const { admission, admit } = admissionWorld(t)
  const servers = [new ScriptedServer('one', null)]
  for (let number = 0; number < 100; number++) placeOf(admit({ servers }))
  equal(admission.inFlight('one'), 100)
})

test('it picks among those that are open and have a free slot', t => {
  const { admit } = admissionWorld(t)
  const [full, shut, free, alsoFree] = ['full', 'shut', 'free', 'also-free'].map(name => new ScriptedServer(name))
  ok(full && shut && free && alsoFree)
  shut.closed.add('chat')
  placeOf(admit({ servers: [full] }))
  const offered: string[][] = []
  const place = admit({
    servers: [full, shut, free, alsoFree],
    choose: candidates => {
      offered.push(candidates.map(({ server }) => server.name))
      return candidates[1] ?? fail('there are two')
    },
  })
  deepEqual(offered, [['free', 'also-free']])
  equal(placeOf(place).candidate.server, alsoFree)
})

test('a call waits for all of its backends, and for none once it has a place', async t => {
  const { admission, admit, gauge } = admissionWorld(t)
  const one = new ScriptedServer('one')
  const two = new ScriptedServer('two')
  const places = [one, two].map(server => placeOf(admit({ servers: [server] })))
  const waiting = waitOf(admit({ servers: [one, two] }))
  deepEqual([admission.waiting('one'), admission.waiting('two'), gauge.waiting], [1, 1, 1])
  places[1]?.release()
  equal((await waiting.place).candidate.server, two)
  deepEqual([admission.waiting('one'), admission.waiting('two'), gauge.waiting], [0, 0, 0])
})

test('one who goes leaves all queues at once, and those behind move up', async t => {
  const { admission, admit, gauge } = admissionWorld(t)
  const servers = [new ScriptedServer('one'), new ScriptedServer('two')]
  for (const server of servers) placeOf(admit({ servers: [server] }))
  const first = waitOf(admit({ servers }))
  const second = waitOf(admit({ servers }))
  equal(second.position, 1)
  first.cancel()
  deepEqual([second.position, admission.waiting('one'), admission.waiting('two'), gauge.waiting], [0, 1, 1, 1])
  await rejects(first.place, (error: unknown) => error instanceof Fault && error.kind === 'client-gone')
})

test('to cancel changes nothing once there is a place', async t => {
  const { admission, admit, gauge } = admissionWorld(t)
  const servers = [new ScriptedServer('one')]
  const held = placeOf(admit({ servers }))
  const waiting = waitOf(admit({ servers }))
  held.release()
  waiting.cancel()
  const place = await waiting.place
  deepEqual([admission.inFlight('one'), gauge.waiting], [1, 0])
  place.release()
  equal(admission.inFlight('one'), 0)
})

test('R06: with all slots taken and those who wait gone, the next live one starts at once, and nobody waits', async t => {
  const { admission, admit, gauge, told } = admissionWorld(t, { maxWaiting: 1000 })
  const servers = [new ScriptedServer('one', 4)]
  const places = Array.from({ length: 4 }, () => placeOf(admit({ servers })))
  const gone = Array.from({ length: 999 }, (_, number) => waitOf(admit({ servers, account: `account-${number % 50}` })))
  const live = waitOf(admit({ servers, account: 'live' }))
  equal(gauge.waiting, 1000)
  for (const waiting of gone) waiting.cancel()
  deepEqual([gauge.waiting, admission.waiting('one')], [1, 1])
  places[0]?.release()
  equal(told.at(-1), 'live on one after 0')
  const place = await live.place
  deepEqual([gauge.waiting, admission.waiting('one'), admission.inFlight('one')], [0, 0, 4])
  for (const held of [...places, place]) held.release()
  equal(admission.inFlight('one'), 0)
})

test('no call that does not wait has a timer, and one that waits has one until it no longer does', async t => {
  const { admit } = admissionWorld(t)
  const servers = [new ScriptedServer('one'), new ScriptedServer('two')]
  const before = timers()
  const places = [placeOf(admit({ servers })), placeOf(admit({ servers }))]
  equal(timers(), before)
  const cancelled = waitOf(admit({ servers }))
  const admitted = waitOf(admit({ servers }))
  equal(timers(), before + 2)
  cancelled.cancel()
  places[0]?.release()
  await admitted.place
  equal(timers(), before)
})

test('a wait without an end does not end at once', async t => {
  const { admission, admit } = admissionWorld(t)
  const servers = [new ScriptedServer('one')]
  placeOf(admit({ servers }))
  waitOf(admit({ servers, waitMs: Number.POSITIVE_INFINITY }))
  // A timer of Node's takes what is too long for a millisecond; one of as long that is set later ends later.
  await delay(1)
  equal(admission.waiting('one'), 1)
})
