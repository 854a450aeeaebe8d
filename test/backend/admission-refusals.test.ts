import { deepEqual, equal, rejects, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { admissionWorld, placeOf, refusalOf, ScriptedServer, waitOf } from './admission-world.ts'

test('where no backend takes it, a call is told at once, and when to come again', async t => {
  const { admit, told } = admissionWorld(t)
  const one = new ScriptedServer('one')
  const two = new ScriptedServer('two')
  for (const server of [one, two]) server.closed.add('chat')
  one.pauseMs = 7000.5
  two.pauseMs = 9000
  const { reason, kind, details } = await refusalOf(admit({ servers: [one, two] }))
  deepEqual([reason, kind, details.retryAfterMs], ['no-backend', 'busy', 7001])
  one.pauseMs = 0
  two.pauseMs = 0
  equal((await refusalOf(admit({ servers: [one, two] }))).details.retryAfterMs, 1000, 'nobody knows')
  equal((await refusalOf(admit({ servers: [] }))).reason, 'no-backend')
  deepEqual(told, Array(3).fill('account: no-backend'))
})

test('a call that waits is told as soon as the last of its backends closes', async t => {
  const { admission, admit, gauge } = admissionWorld(t)
  const servers = [new ScriptedServer('one'), new ScriptedServer('two')]
  for (const server of servers) placeOf(admit({ servers: [server] }))
  const chat = waitOf(admit({ servers }))
  const embedding = waitOf(admit({ servers, endpoint: 'embeddings' }))
  for (const server of servers) {
    equal(gauge.waiting, 2)
    server.closed.add('chat')
    admission.wake(server)
  }
  equal(gauge.waiting, 1)
  equal((await refusalOf(chat)).reason, 'no-backend')
  equal(embedding.position, 0)
  embedding.cancel()
})

test('with a full queue the wait that is told is by how long places are held, slots and those before it', async t => {
  const { admit, clock } = admissionWorld(t, { maxWaiting: 3 })
  const servers = [new ScriptedServer('one', 2)]
  const hold = (ms: number) => {
    const place = placeOf(admit({ servers }))
    clock.ms += ms
    place.release()
  }
  const fill = () => {
    for (let number = 0; number < 2; number++) placeOf(admit({ servers }))
    for (let number = 0; number < 3; number++) waitOf(admit({ servers }))
  }
  hold(2000)
  // A fifth of what is new: 2,200 ms.
  hold(3000)
  fill()
  equal((await refusalOf(admit({ servers }))).details.retryAfterMs, (4 * 2200) / 2)
})

for (const [heldMs, toldMs] of [
  [1, 250],
  [1_000_000, 60_000],
] as const) {
  test(`a place that is held for ${heldMs} ms makes a wait of ${toldMs} ms`, async t => {
    const { admit, clock } = admissionWorld(t, { maxWaiting: 0 })
    const servers = [new ScriptedServer('one')]
    const place = placeOf(admit({ servers }))
    clock.ms += heldMs
    place.release()
    placeOf(admit({ servers }))
    equal((await refusalOf(admit({ servers }))).details.retryAfterMs, toldMs)
  })
}

test('before any place was given back a second is assumed', async t => {
  const { admit } = admissionWorld(t, { maxWaiting: 0 })
  const servers = [new ScriptedServer('one')]
  placeOf(admit({ servers }))
  equal((await refusalOf(admit({ servers }))).details.retryAfterMs, 1000)
})

test('a call waits no longer than it may, and learns when its turn would have come', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { admission, admit, gauge, told } = admissionWorld(t)
  const servers = [new ScriptedServer('one')]
  placeOf(admit({ servers }))
  waitOf(admit({ servers, account: 'patient', waitMs: 10_000 }))
  const hasty = waitOf(admit({ servers, account: 'hasty', waitMs: 500 }))
  t.mock.timers.tick(499)
  equal(gauge.waiting, 2)
  t.mock.timers.tick(1)
  equal(gauge.waiting, 1)
  const { reason, details } = await refusalOf(hasty)
  deepEqual([reason, details.retryAfterMs, admission.waiting('one')], ['queue-timeout', 2000, 1])
  equal(told.at(-1), 'hasty: queue-timeout')
})

test('one that may not wait at all is refused where there is no place', async t => {
  const { admit } = admissionWorld(t)
  const servers = [new ScriptedServer('one')]
  placeOf(admit({ servers, waitMs: 0 }))
  equal((await refusalOf(admit({ servers, waitMs: 0 }))).reason, 'queue-timeout')
})

test('a choice that fails is told to whom it was for, and the slot goes to the next', async t => {
  const { admission, admit } = admissionWorld(t)
  const servers = [new ScriptedServer('one')]
  const fails = () => {
    throw new Error('no choice')
  }
  throws(() => admit({ servers, choose: fails }), /no choice/)
  const held = placeOf(admit({ servers }))
  const first = waitOf(admit({ servers, choose: fails }))
  const second = waitOf(admit({ servers }))
  held.release()
  await rejects(first.place, /no choice/)
  await second.place
  deepEqual([admission.inFlight('one'), admission.waiting('one')], [1, 0])
})

test('how long others may wait is told by endpoint, and by whole answers alone', async t => {
  const { admit, clock } = admissionWorld(t, { maxWaiting: 1 })
  const servers = [new ScriptedServer('one', 2)]
  const hold = (endpoint: 'chat' | 'embeddings', ms: number, isServed?: boolean) => {
    const place = placeOf(admit({ servers, endpoint }))
    clock.ms += ms
    place.release(isServed)
  }
  hold('chat', 3000)
  for (let times = 0; times < 20; times++) hold('embeddings', 100)
  for (let times = 0; times < 20; times++) hold('chat', 1, false)
  const [first] = [1, 2].map(() => placeOf(admit({ servers })))
  waitOf(admit({ servers }))
  const toldMs = async () => (await refusalOf(admit({ servers }))).details.retryAfterMs
  deepEqual(await toldMs(), (2 * 3000) / 2)
  // What runs now is what comes to its end.
  waitOf(admit({ servers, endpoint: 'embeddings', account: 'other', priority: 90 }))
  first?.release(false)
  waitOf(admit({ servers, account: 'third' }))
  deepEqual(await toldMs(), (2 * 1550) / 2)
})

test('each call is refused once, also where whoever hears of one looks again', t => {
  const server = new ScriptedServer('one')
  const refused: string[] = []
  const { admission, admit } = admissionWorld(t, {
    events: {
      onJoined: () => undefined,
      onLeft: () => undefined,
      onAdmitted: () => undefined,
      onRefused: ({ account }) => {
        refused.push(account)
        admission.wake(server)
      },
    },
  })
  placeOf(admit({ servers: [server] }))
  for (const account of ['a', 'b', 'c']) waitOf(admit({ servers: [server], account }))
  server.closed.add('chat')
  admission.wake(server)
  deepEqual(refused, ['a', 'b', 'c'])
})
