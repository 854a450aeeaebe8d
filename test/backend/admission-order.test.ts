import { deepEqual, equal, fail } from 'node:assert/strict'
import { test } from 'node:test'
import { admissionWorld, placeOf, refusalOf, ScriptedServer, waitOf } from './admission-world.ts'

const named = (told: readonly string[]) => told.map(line => line.split(/[ :]/)[0])

test('1,000 of one account delay the single one of another by one release', async t => {
  const { admit, told } = admissionWorld(t, { maxWaiting: 2000 })
  const servers = [new ScriptedServer('one')]
  const held = placeOf(admit({ servers, account: 'many' }))
  const many = Array.from({ length: 1000 }, () => waitOf(admit({ servers, account: 'many' })))
  const single = waitOf(admit({ servers, account: 'single' }))
  equal(single.position, 1)
  held.release()
  const next = await many[0]?.place
  next?.release()
  await single.place
  deepEqual(named(told), ['many', 'many', 'single'])
})

test('one account that fills the queue keeps nobody out: its last one gives way', async t => {
  const { admission, admit, gauge } = admissionWorld(t, { maxWaiting: 100 })
  const servers = [new ScriptedServer('one')]
  placeOf(admit({ servers, account: 'many' }))
  const many = Array.from({ length: 100 }, () => waitOf(admit({ servers, account: 'many' })))
  equal((await refusalOf(admit({ servers, account: 'many' }))).reason, 'queue-full')
  equal(waitOf(admit({ servers, account: 'single' })).position, 1)
  equal((await refusalOf(many.at(-1) ?? waitOf(admit({ servers })))).reason, 'queue-full')
  deepEqual([admission.waiting('one'), gauge.waiting], [100, 100])
})

test('a queue that is full keeps nobody from waiting for another backend, and then they wait for both', t => {
  const { admission, admit, told } = admissionWorld(t, { maxWaiting: 1 })
  const one = new ScriptedServer('one')
  const two = new ScriptedServer('two')
  const places = [one, two].map(server => placeOf(admit({ servers: [server] })))
  waitOf(admit({ servers: [one], account: 'first' }))
  waitOf(admit({ servers: [one, two], account: 'second' }))
  deepEqual([admission.waiting('one'), admission.waiting('two')], [2, 1])
  places[0]?.release()
  deepEqual(told.slice(2), ['first on one after 0'])
})

test('one who comes back after a failure goes before the others of its account', async t => {
  const { admission, admit } = admissionWorld(t)
  const servers = [new ScriptedServer('one')]
  const held = placeOf(admit({ servers }))
  const other = waitOf(admit({ servers }))
  const again = waitOf(admit({ servers, isRetry: true }))
  deepEqual([again.position, other.position], [0, 1])
  held.release()
  await again.place
  equal(admission.waiting('one'), 1)
})

test('where an endpoint is closed, those who wait for another one are served', async t => {
  const { admission, admit } = admissionWorld(t)
  const server = new ScriptedServer('one')
  const other = new ScriptedServer('other', 0)
  const held = placeOf(admit({ servers: [server] }))
  const embeds = waitOf(admit({ servers: [server, other], endpoint: 'embeddings' }))
  const chats = waitOf(admit({ servers: [server] }))
  server.closed.add('embeddings')
  admission.wake(server)
  held.release()
  const place = await chats.place
  equal(embeds.position, 0)
  server.closed.clear()
  place.release()
  equal((await embeds.place).candidate.server, server)
})

test('with fewer slots nobody gets in before enough have left, with more they do at once', async t => {
  const { admission, admit, told } = admissionWorld(t)
  const server = new ScriptedServer('one', 3)
  const servers = [server]
  const places = Array.from({ length: 3 }, () => placeOf(admit({ servers })))
  const waits = Array.from({ length: 3 }, () => waitOf(admit({ servers })))
  server.slots = 1
  admission.wake(server)
  places[0]?.release()
  places[1]?.release()
  deepEqual([admission.inFlight('one'), told.length], [1, 3])
  server.slots = 3
  admission.wake(server)
  deepEqual([admission.inFlight('one'), admission.waiting('one'), told.length], [3, 1, 5])
  await Promise.all(waits.slice(0, 2).map(({ place }) => place))
})

test('a backend that has opened by itself serves first who waits for it', t => {
  const { admit, told } = admissionWorld(t)
  const server = new ScriptedServer('one', 2)
  const other = new ScriptedServer('other', 0)
  const servers = [server, other]
  server.closed.add('chat')
  waitOf(admit({ servers, account: 'first' }))
  server.closed.clear()
  placeOf(admit({ servers, account: 'second' }))
  deepEqual(named(told), ['first', 'second'])
})

test('what takes the one probe of a breaker while it is chosen is the only one that gets in', async t => {
  const { admission, admit, told } = admissionWorld(t)
  const server = new ScriptedServer('one', 1)
  const choose = () => {
    server.closed.add('chat')
    admission.wake(server)
    return { server, target: { backend: 'one', model: 'tinychat', weight: 1, endpoints: new Set(['chat'] as const) } }
  }
  const held = placeOf(admit({ servers: [server] }))
  const waits = ['a', 'b', 'c'].map(account => waitOf(admit({ servers: [server], account, choose })))
  server.slots = 3
  held.release()
  deepEqual(told.slice(1), ['b: no-backend', 'c: no-backend', 'a on one after 0'])
  equal((await waits[0]?.place)?.candidate.server, server)
})

test('what a choice sets off takes nothing from it', t => {
  const { admission, admit } = admissionWorld(t)
  const server = new ScriptedServer('one', 1)
  const other = placeOf(admit({ servers: [new ScriptedServer('other')] }))
  const inner: unknown[] = []
  placeOf(
    admit({
      servers: [server],
      choose: ([first]) => {
        inner.push(admit({ servers: [server] }))
        other.release()
        return first ?? fail('there is one')
      },
    }),
  )
  deepEqual([inner.length, admission.inFlight('one'), admission.waiting('one')], [1, 1, 1])
})
