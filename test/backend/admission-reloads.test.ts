import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { admissionWorld, placeOf, refusalOf, ScriptedServer, waitOf } from './admission-world.ts'

test('slots are those of the backend in force, whoever brings another one of the same server', async t => {
  const { admission, admit, told } = admissionWorld(t)
  const [before, less, more] = [4, 1, 3].map(slots => new ScriptedServer('one', slots))
  ok(before && less && more)
  admission.use([before])
  const place = placeOf(admit({ servers: [before], account: 'a' }))
  admission.use([less])
  const old = waitOf(admit({ servers: [before], account: 'b' }))
  const late = waitOf(admit({ servers: [less], account: 'c' }))
  admission.wake(before)
  deepEqual([admission.inFlight('one'), admission.waiting('one')], [1, 2])
  place.release()
  await old.place
  deepEqual([admission.inFlight('one'), admission.waiting('one')], [1, 1])
  admission.use([more])
  await late.place
  deepEqual([admission.inFlight('one'), told.length], [2, 3])
})

test('the first call after a reload may be an old one', t => {
  const { admission, admit } = admissionWorld(t)
  const before = new ScriptedServer('one', 4)
  admission.use([new ScriptedServer('one', 1)])
  placeOf(admit({ servers: [before] }))
  waitOf(admit({ servers: [before] }))
  equal(admission.inFlight('one'), 1)
})

test('a backend that has moved begins empty, and what is held where it was ends there', async t => {
  const { admission, admit, clock } = admissionWorld(t, { maxWaiting: 0 })
  const old = new ScriptedServer('main', 1, 'old')
  const moved = new ScriptedServer('main', 1, 'new')
  admission.use([old])
  const held = placeOf(admit({ servers: [old] }))
  admission.use([moved])
  placeOf(admit({ servers: [moved] }))
  equal((await refusalOf(admit({ servers: [old] }))).reason, 'queue-full')
  deepEqual([admission.inFlight('old'), admission.inFlight('new')], [1, 1])
  clock.ms += 5000
  held.release()
  deepEqual([admission.inFlight('old'), admission.inFlight('new')], [0, 1])
})

test('of backends that a reload has taken away nothing is remembered once they are idle', async t => {
  const { admission, admit, clock } = admissionWorld(t, { maxWaiting: 0 })
  const retryAfterMs = async (server: ScriptedServer) =>
    (await refusalOf(admit({ servers: [server] }))).details.retryAfterMs
  const [kept, busy, idle] = ['kept', 'busy', 'idle'].map(name => new ScriptedServer(name))
  ok(kept && busy && idle)
  admission.use([kept, busy, idle])
  for (const server of [kept, busy, idle]) {
    const place = placeOf(admit({ servers: [server] }))
    clock.ms += 5000
    place.release()
  }
  const held = placeOf(admit({ servers: [busy] }))
  admission.use([kept])
  for (const server of [kept, idle]) placeOf(admit({ servers: [server] }))
  deepEqual(await Promise.all([kept, busy, idle].map(retryAfterMs)), [5000, 5000, 1000])
  held.release()
  placeOf(admit({ servers: [busy] }))
  equal(await retryAfterMs(busy), 1000)
})

/** Counts how often it is looked at. */
class CountingServer extends ScriptedServer {
  looks = 0

  override isOpen(endpoint: 'chat' | 'completions' | 'embeddings'): boolean {
    this.looks++
    return super.isOpen(endpoint)
  }
}

test('whoever comes while many wait for a breaker does not look at all of them', t => {
  const { admission, admit } = admissionWorld(t, { maxWaiting: 1000 })
  const shut = new CountingServer('shut', 4)
  const full = new CountingServer('full')
  const servers = [shut, full]
  shut.closed.add('chat')
  placeOf(admit({ servers }))
  for (let number = 0; number < 900; number++) waitOf(admit({ servers }))
  shut.looks = 0
  full.looks = 0
  waitOf(admit({ servers }))
  placeOf(admit({ servers, endpoint: 'embeddings' })).release()
  ok(shut.looks + full.looks < 50, `${shut.looks + full.looks} looks`)
  shut.closed.clear()
  // Who waits is before who comes, also where nobody has said that it is open.
  waitOf(admit({ servers }))
  deepEqual([admission.inFlight('shut'), admission.waiting('shut')], [4, 898])
})
