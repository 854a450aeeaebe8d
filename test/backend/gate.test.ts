import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Fault } from '../../src/backend/fault.ts'
import { Gate, type GateState } from '../../src/backend/gate.ts'
import { eventually } from '../support/eventually.ts'

const lost = new Fault('reset', 'the connection was lost')

/** One that has opened, and may be tried again. */
async function buildHalfOpen(): Promise<{ gate: Gate; states: GateState[]; told: boolean[] }> {
  const states: GateState[] = []
  /** Whether it did let in when it said so. */
  const told: boolean[] = []
  const options = { window: 1, least: 1, failurePercent: 100, pauseMs: 20, maxPauseMs: 20 }
  const gate: Gate = new Gate(options, {
    onChange: state => states.push(state),
    onLetsIn: () => told.push(gate.letsIn),
  })
  gate.enter().failed(lost)
  await nextTurn()
  deepEqual([gate.state, gate.letsIn], ['open', false])
  await eventually('it may be tried', () => told.length > 0, { everyMs: 1 })
  return { gate, states, told }
}

test('it says when its pause is over, once and not too early', async t => {
  for (const [pauseMs, leftMs] of [
    [20, 0.25],
    [20.5, 0.75],
  ] as const) {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    let nowMs = 1000
    const clock = t.mock.method(performance, 'now', () => nowMs)
    const told: boolean[] = []
    const options = { window: 1, least: 1, failurePercent: 100, pauseMs, maxPauseMs: pauseMs }
    const gate: Gate = new Gate(options, { onChange: () => undefined, onLetsIn: () => told.push(gate.letsIn) })
    gate.enter().failed(lost)
    await nextTurn()
    equal(gate.state, 'open')
    // Timers go by a clock of their own.
    nowMs += pauseMs + 1 - leftMs
    t.mock.timers.tick(30)
    deepEqual(told, [])
    nowMs += leftMs
    t.mock.timers.tick(1)
    deepEqual(told, [true])
    t.mock.timers.tick(1000)
    deepEqual(told, [true])
    clock.mock.restore()
    t.mock.timers.reset()
  }
})

test('whoever comes in the moment in which the probe fails is not the next one', async () => {
  const { gate, states } = await buildHalfOpen()
  const probe = gate.enter()
  deepEqual([gate.state, gate.letsIn], ['half-open', false])
  probe.failed(lost)
  // Its place is given to the next one before anything else happens.
  equal(gate.letsIn, false)
  await nextTurn()
  deepEqual([gate.state, gate.letsIn], ['open', false])
  deepEqual(states, ['open', 'half-open', 'open'])
})

test('once the probe has begun well everybody is let in', async () => {
  const { gate } = await buildHalfOpen()
  const probe = gate.enter()
  probe.began()
  await nextTurn()
  deepEqual([gate.state, gate.letsIn], ['closed', true])
  // What becomes of the rest of it counts as that of any other.
  probe.failed(lost)
  await nextTurn()
  equal(gate.state, 'open')
})

test('a probe that ends without a word lets the next one try', async () => {
  const { gate } = await buildHalfOpen()
  gate.enter().ended()
  deepEqual([gate.state, gate.letsIn], ['half-open', true])
  const next = gate.enter()
  equal(gate.letsIn, false)
  next.succeeded()
  await nextTurn()
  equal(gate.state, 'closed')
})

test('a probe by a clock that the policy does not share harms nobody', async t => {
  const { gate, told } = await buildHalfOpen()
  t.mock.timers.enable({ apis: ['Date'], now: 0 })
  const probe = gate.enter()
  probe.failed(lost)
  await nextTurn()
  equal(gate.state, 'open')
  // Whoever waits is to have the next try.
  deepEqual(told, [true, true])
})
