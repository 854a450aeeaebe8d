/** In a process of its own: the whole heap is looked through. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { queryObjects } from 'node:v8'
import { FairQueue } from '../../src/domain/fair-queue.ts'
import { LinkedList } from '../../src/domain/linked-list.ts'

const anyone = () => true

/** A thousand accounts, each with one that waits, in several priorities; half of them leave, the others are served. */
function comeAndGo(queue: FairQueue<number>, whileTheyWait: () => void): void {
  const tickets = Array.from({ length: 1000 }, (_, id) =>
    queue.push(id, { priority: id % 7, account: `account-${id}`, isAhead: false }),
  )
  whileTheyWait()
  for (const ticket of tickets.slice(0, 500)) queue.remove(ticket)
  let served = 0
  while (queue.shift(anyone) !== null) served++
  equal(served, 500)
}

test('nothing is left of accounts that no longer wait', () => {
  const queue = new FairQueue<number>()
  const lists = () => queryObjects(LinkedList, { format: 'count' })
  const before = lists()
  comeAndGo(queue, () => ok(lists() >= before + 1000, 'each account has a line'))
  deepEqual([lists(), queue.size], [before, 0])
})
