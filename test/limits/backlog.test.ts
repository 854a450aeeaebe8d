import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { Backlog } from '../../src/limits/backlog.ts'

/** A receiver that can be switched off, and what it was told. */
function receiver() {
  const told: number[] = []
  const state = { isUp: true }
  const message = (id: number) => async () => {
    if (!state.isUp) throw new Error('down')
    told.push(id)
  }
  return { told, state, message }
}

test('what cannot be sent waits and is sent in order once that is possible', async () => {
  const { told, state, message } = receiver()
  const backlog = new Backlog()
  state.isUp = false
  for (let id = 0; id < 500; id++) backlog.keep(message(id))
  await backlog.flush()
  equal(backlog.size, 500)
  state.isUp = true
  await backlog.flush()
  equal(backlog.size, 0)
  deepEqual(
    told.toSorted((a, b) => a - b),
    Array.from({ length: 500 }, (_, id) => id),
  )
})

test('what is sent at once is kept where that fails', async () => {
  const { told, state, message } = receiver()
  const backlog = new Backlog()
  backlog.send(message(1))
  state.isUp = false
  backlog.send(message(2))
  await new Promise(setImmediate)
  deepEqual([told, backlog.size], [[1], 1])
})

test('it is bounded, and counts what it drops', () => {
  const backlog = new Backlog()
  for (let id = 0; id < 20_005; id++) backlog.keep(async () => {})
  equal(backlog.size, 20_000)
  equal(backlog.dropped, 5)
})

test('two flushes at once send nothing twice', async () => {
  const { told, message } = receiver()
  const backlog = new Backlog()
  for (let id = 0; id < 300; id++) backlog.keep(message(id))
  await Promise.all([backlog.flush(), backlog.flush()])
  equal(told.length, 300)
})

test('what was used without Redis is kept before all settlements, and sent first', async () => {
  const { told, message } = receiver()
  const backlog = new Backlog()
  for (let id = 0; id < 20_000; id++) backlog.keep(message(id))
  backlog.keepFirst(message(-1))
  deepEqual([backlog.size, backlog.dropped], [20_000, 1])
  await backlog.flush()
  deepEqual([told[0], told.length], [-1, 20_000])
})
