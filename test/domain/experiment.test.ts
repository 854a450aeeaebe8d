import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  assign,
  buildExperiment,
  type Experiment,
  type ExperimentState,
  stickyValue,
} from '../../src/domain/experiment.ts'

function experimentOf(weights: Readonly<Record<string, number>>, name = 'quantisation', shadow = false): Experiment {
  const targets = Object.entries(weights).map(([arm, weight]) => ({ arm, weight }))
  const experiment = buildExperiment({ name, stickBy: 'account', shadow }, targets)
  assert.ok(experiment)
  return experiment
}

const running = (rampPercent = 100): ExperimentState => ({ status: 'running', rampPercent })
const callers = Array.from({ length: 20_000 }, (_, index) => `account\n${index}`)
const armsOf = (experiment: Experiment, state: ExperimentState | null = running()) =>
  callers.map(caller => assign(experiment, state, caller))

/** How many of the callers it is, and whether that is within five deviations of what it should be. */
function assertShare(found: number, share: number, of = callers.length): void {
  const tolerance = 5 * Math.sqrt(of * share * (1 - share)) + 1
  assert.ok(Math.abs(found - of * share) <= tolerance, `${found} of ${of} are not ${share}`)
}

test('arms are the sums of their targets, the first one is the control', () => {
  const settings = { name: 'x', stickBy: 'X-User', shadow: true }
  const targets = [{ arm: 'a', weight: 1 }, { arm: 'b', weight: 2 }, { arm: 'a', weight: 3 }, { weight: 5 }]
  assert.deepEqual(buildExperiment(settings, targets), {
    name: 'x',
    stickBy: 'x-user',
    shadow: true,
    arms: [
      { name: 'a', weight: 4 },
      { name: 'b', weight: 2 },
    ],
  })
  assert.equal(buildExperiment(settings, [{ weight: 1 }]), null)
})

test('arms get their shares, and each caller always the same', () => {
  const experiment = experimentOf({ a: 3, b: 1, c: 0, d: 4 })
  const assigned = armsOf(experiment)
  for (const [arm, share] of [['a', 3 / 8] as const, ['b', 1 / 8] as const, ['c', 0] as const, ['d', 1 / 2] as const]) {
    assertShare(assigned.filter(({ arm: name }) => name === arm).length, share)
  }
  assert.ok(assigned.every(({ isCounted }) => isCounted))
  assert.deepEqual(armsOf(experiment), assigned)
})

test('which arm it is in one experiment says nothing of another', () => {
  const [one, two] = ['one', 'two'].map(name => armsOf(experimentOf({ a: 1, b: 1 }, name)))
  const inBoth = (one ?? []).filter(({ arm }, index) => arm === 'a' && two?.[index]?.arm === 'a')
  assertShare(inBoth.length, 1 / 4)
})

test('from 50/50 to 60/40 only those ten points move', () => {
  const [before, after] = [armsOf(experimentOf({ a: 50, b: 50 })), armsOf(experimentOf({ a: 60, b: 40 }))]
  const moved = before.filter(({ arm }, index) => arm !== after[index]?.arm)
  assert.ok(moved.every(({ arm }) => arm === 'b'))
  assertShare(moved.length, 0.1)
})

const weights = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom(...'abc-9') }),
  fc.integer({ min: 0, max: 1000 }),
  { minKeys: 2, maxKeys: 6 },
)
const sticky = fc.string().map(text => `header\n${text}`)

test('who moves when an arm gets more weight moves to that arm', () => {
  fc.assert(
    fc.property(weights, fc.nat(5), fc.integer({ min: 1, max: 1000 }), sticky, (given, nth, more, caller) => {
      const names = Object.keys(given)
      const grown = names[nth % names.length] ?? ''
      const before = assign(experimentOf(given), running(), caller).arm
      const after = assign(experimentOf({ ...given, [grown]: (given[grown] ?? 0) + more }), running(), caller).arm
      // Where no arm had a weight all were the control's.
      const hadWeight = Object.values(given).some(weight => weight > 0)
      assert.ok(after === before || after === grown || !hadWeight)
    }),
  )
})

test('a ramp that goes up throws nobody out, and moves nobody to another arm', () => {
  fc.assert(
    fc.property(weights, fc.nat(100), fc.nat(100), sticky, (given, one, two, caller) => {
      const experiment = experimentOf(given)
      const [low, high] = one < two ? [one, two] : [two, one]
      const before = assign(experiment, running(low), caller)
      if (before.isCounted) assert.deepEqual(assign(experiment, running(high), caller), before)
    }),
  )
})

test('a ramp lets in its share; the rest is the control and is not counted', () => {
  const experiment = experimentOf({ a: 1, b: 1 })
  for (const percent of [0, 1, 5, 10, 50, 100]) {
    const assigned = armsOf(experiment, running(percent))
    const counted = assigned.filter(({ isCounted }) => isCounted)
    assertShare(counted.length, percent / 100)
    assertShare(counted.filter(({ arm }) => arm === 'b').length, 0.5, counted.length)
    assert.ok(assigned.every(({ arm, isCounted }) => isCounted || arm === 'a'))
  }
})

test('paused, or while nobody knows, all are the control and nobody counts; ended, all are the winner', () => {
  const experiment = experimentOf({ a: 1, b: 1 })
  const ended = (winner: string): ExperimentState => ({ status: 'ended', rampPercent: 5, winner })
  const cases: [ExperimentState | null, string][] = [
    [{ status: 'paused', rampPercent: 100 }, 'a'],
    [null, 'a'],
    [ended('b'), 'b'],
    [ended('a'), 'a'],
    // The configuration has no such arm any more.
    [ended('gone'), 'a'],
  ]
  for (const [state, arm] of cases) {
    assert.ok(armsOf(experiment, state).every(each => each.arm === arm && !each.isCounted))
  }
})

test('in shadow mode all have the control, and those of another arm a copy; no copies while it is paused, unknown or ended', () => {
  const weights = { a: 1, b: 1, c: 2 }
  const shadow = armsOf(experimentOf(weights, 'x', true), running(50))
  const plain = armsOf(experimentOf(weights, 'x'), running(50))
  for (const [index, { arm, copyArm, isCounted, participant }] of shadow.entries()) {
    const other = plain[index]
    assert.ok(arm === 'a' && isCounted === other?.isCounted && participant === other.participant)
    assert.equal(copyArm, other.arm === 'a' ? null : other.arm)
  }
  assert.ok(plain.every(({ copyArm }) => copyArm === null))
  const experiment = experimentOf(weights, 'x', true)
  for (const state of [
    null,
    { status: 'paused', rampPercent: 100 },
    { status: 'ended', rampPercent: 100, winner: 'b' },
  ]) {
    assert.ok(armsOf(experiment, state as ExperimentState | null).every(({ copyArm }) => copyArm === null))
  }
})

test('it sticks to the header where it is there, else to the account, and nobody can pass for an account', () => {
  const of = (stickBy: string) => ({ ...experimentOf({ a: 1, b: 1 }), stickBy })
  assert.equal(stickyValue(of('account'), { account: 'x' }, 'id'), 'account\nid')
  assert.equal(stickyValue(of('x-user'), { 'x-user': 'ada' }, 'id'), 'header\nada')
  assert.notEqual(stickyValue(of('x-user'), { 'x-user': 'id' }, 'id'), stickyValue(of('x-user'), {}, 'id'))
  for (const headers of [{}, { 'x-user': '' }]) assert.equal(stickyValue(of('x-user'), headers, 'id'), 'account\nid')
})
