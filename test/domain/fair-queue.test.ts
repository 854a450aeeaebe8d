import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FairQueue, type Ticket, type Turn } from '../../src/domain/fair-queue.ts'
import { NaiveQueue } from './naive-queue.ts'

const turn = (account: string, more: Partial<Turn> = {}): Turn => ({ priority: 50, account, isAhead: false, ...more })
const anyone = () => true

function shiftAll<Item>(queue: FairQueue<Item>): Item[] {
  const all: Item[] = []
  for (let item = queue.shift(anyone); item !== null; item = queue.shift(anyone)) all.push(item)
  return all
}

test('accounts take turns, and within one it is first come first served', () => {
  const queue = new FairQueue<string>()
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) queue.push(item, turn(item.charAt(0)))
  deepEqual(shiftAll(queue), ['a1', 'b1', 'c1', 'a2', 'c2', 'a3'])
})

test('higher priorities go first, and one who comes back goes before the others of its account', () => {
  const queue = new FairQueue<string>()
  queue.push('low', turn('a', { priority: 20 }))
  queue.push('first', turn('a'))
  queue.push('again', turn('a', { isAhead: true }))
  queue.push('high', turn('b', { priority: 80 }))
  deepEqual(shiftAll(queue), ['high', 'again', 'first', 'low'])
})

test('whoever is passed over keeps their turn', () => {
  const queue = new FairQueue<string>()
  for (const item of ['a1', 'a2', 'b1', 'b2', 'b3']) queue.push(item, turn(item.charAt(0)))
  equal(
    queue.shift(item => item.startsWith('b')),
    'b1',
  )
  equal(
    queue.shift(item => item.startsWith('b')),
    'b2',
  )
  deepEqual(shiftAll(queue), ['a1', 'b3', 'a2'])
})

test('1,000 of one account delay the one of another by a turn', () => {
  const queue = new FairQueue<string>()
  for (let number = 0; number < 1000; number++) queue.push(`many-${number}`, turn('many'))
  equal(queue.shift(anyone), 'many-0')
  const ticket = queue.push('single', turn('other'))
  equal(queue.positionOf(ticket), 1)
  deepEqual([queue.shift(anyone), queue.shift(anyone)], ['many-1', 'single'])
})

test('where no more may wait, the longest line of the lowest priority gives way, its last one first', () => {
  const queue = new FairQueue<string>()
  for (const item of ['a1', 'a2', 'b1', 'b2', 'b3']) queue.push(item, turn(item.charAt(0)))
  equal(queue.displaceFor(turn('c')), 'b3')
  equal(queue.displaceFor(turn('b')), null, 'a line as long as the longest gains nothing')
  equal(queue.displaceFor(turn('c', { priority: 20 })), null, 'nobody gives way to a lower priority')
  queue.push('a low one', turn('d', { priority: 20 }))
  equal(queue.displaceFor(turn('a')), 'a low one')
  deepEqual(shiftAll(queue), ['a1', 'b1', 'a2', 'b2'])
})

/** Small numbers, so that much happens to few. */
const turns = fc.record({
  priority: fc.constantFrom(20, 50, 80),
  account: fc.constantFrom('a', 'b', 'c', 'd'),
  isAhead: fc.boolean(),
})
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('push' as const), turn: turns }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('displace' as const), turn: turns }) },
    // Passes over those whose number is a multiple of it; nobody where it is 0.
    { weight: 3, arbitrary: fc.record({ do: fc.constant('shift' as const), without: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat(50) }) },
  ),
  { maxLength: 60, size: 'max' },
)

test('it does what a naive list does', () => {
  fc.assert(
    fc.property(steps, schedule => {
      const queue = new FairQueue<number>()
      const naive = new NaiveQueue()
      const tickets: Ticket<number>[] = []
      for (const step of schedule) {
        switch (step.do) {
          case 'push':
            naive.push(tickets.length, step.turn)
            tickets.push(queue.push(tickets.length, step.turn))
            break
          case 'displace':
            equal(queue.displaceFor(step.turn), naive.displaceFor(step.turn))
            break
          case 'shift': {
            const accepts = (id: number) => step.without === 0 || id % step.without !== 0
            equal(queue.shift(accepts), naive.shift(accepts))
            break
          }
          case 'remove': {
            const ticket = tickets[step.which % Math.max(1, tickets.length)]
            if (ticket === undefined) break
            queue.remove(ticket)
            naive.remove(ticket.value.item)
          }
        }
        const order = naive.order()
        equal(queue.size, order.length)
        deepEqual(new Set(queue), new Set(order))
        for (const ticket of tickets) {
          const position = order.indexOf(ticket.value.item)
          equal(queue.positionOf(ticket), position === -1 ? null : position)
          equal(queue.positionOf(ticket, 3), position === -1 ? null : Math.min(3, position))
        }
      }
    }),
    { numRuns: 1000 },
  )
})

test('between two turns of an account each other one of its priority has one turn at most, whoever leaves', () => {
  const events = fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('push' as const), account: fc.constantFrom('a', 'b', 'c') }),
      },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('shift' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat(50) }) },
    ),
    { maxLength: 100, size: 'max' },
  )
  fc.assert(
    fc.property(events, schedule => {
      const queue = new FairQueue<{ account: string }>()
      let tickets: Ticket<{ account: string }>[] = []
      /** By account that waits: who has had turns since it began to, or had one itself. */
      const since = new Map<string, string[]>()
      const forget = (gone: { account: string }) => {
        tickets = tickets.filter(({ value: { item } }) => item !== gone)
        if (tickets.every(({ value: { item } }) => item.account !== gone.account)) since.delete(gone.account)
      }
      for (const event of schedule) {
        if (event.do === 'push') {
          tickets.push(queue.push({ account: event.account }, turn(event.account)))
          if (!since.has(event.account)) since.set(event.account, [])
        } else if (event.do === 'remove') {
          const ticket = tickets[event.which % Math.max(1, tickets.length)]
          if (ticket === undefined) continue
          queue.remove(ticket)
          forget(ticket.value.item)
        } else {
          const served = queue.shift(anyone)
          if (served === null) continue
          since.set(served.account, [])
          forget(served)
          for (const [account, others] of since) {
            if (account === served.account) continue
            ok(!others.includes(served.account), `${served.account} had two turns while ${account} waited`)
            others.push(served.account)
          }
        }
      }
    }),
    { numRuns: 1000 },
  )
})
