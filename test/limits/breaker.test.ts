import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { Breaker } from '../../src/limits/breaker.ts'

function watched() {
  const events: string[] = []
  const breaker = new Breaker({ onOpen: reason => events.push(reason), onClose: () => events.push('closed') })
  return { breaker, events }
}

test('it begins open, and closes when a probe is answered', () => {
  const { breaker, events } = watched()
  equal(breaker.isOpen, true)
  breaker.close()
  breaker.close()
  equal(breaker.isOpen, false)
  deepEqual(events, ['closed'])
})

test('probes that are answered in between make failures no row', () => {
  const { breaker } = watched()
  for (let hour = 0; hour < 5; hour += 1) {
    breaker.close()
    breaker.failed(new Error('one of a kind'))
  }
  equal(breaker.isOpen, false)
})

test('it opens at the third failure in a row, once, and says why', () => {
  const { breaker, events } = watched()
  breaker.close()
  breaker.failed(new Error('one'))
  breaker.failed(new Error('two'))
  breaker.succeeded()
  for (const reason of ['one', 'two']) breaker.failed(new Error(reason))
  equal(breaker.isOpen, false)
  for (const reason of ['three', 'four']) breaker.failed(new Error(reason))
  equal(breaker.isOpen, true)
  deepEqual(events, ['closed', 'three'])
})
