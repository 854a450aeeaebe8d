import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import type { LimitState, Verdict } from '../../src/domain/reservation.ts'
import { KnownStates } from '../../src/limits/known-states.ts'
import { flight, limitSet, quota, rate, tokenRate } from '../support/limit-sets.ts'

const atUs = Date.UTC(2026, 10, 24, 12) * 1000
const denied = (...states: readonly LimitState[]): Verdict => ({ kind: 'denied', states, atUs })
const state = (used: number, waitUs: number): LimitState => ({ used, waitUs })

test('who was denied is denied from memory until the limit frees, and not longer', () => {
  const known = new KnownStates()
  const set = limitSet([rate()])
  known.note(set, denied(state(60, 100_000)), [1], 1000)
  deepEqual(known.findDenial(set, [1], 1040), [state(60, 60_000)])
  equal(known.findDenial(set, [1], 1100), null)
})

test('a long denial is asked about again four times a second', () => {
  const known = new KnownStates()
  const set = limitSet([quota()])
  known.note(set, denied(state(1000, 86_400e6)), [1], 0)
  equal(known.findDenial(set, [1], 249) === null, false)
  equal(known.findDenial(set, [1], 250), null)
})

test('a smaller request is asked about, a larger one is not', () => {
  const known = new KnownStates()
  const set = limitSet([rate(), tokenRate()])
  known.note(set, denied(state(1, 0), state(900, 10e6)), [1, 200], 0)
  equal(known.findDenial(set, [1, 199], 1), null)
  equal(known.findDenial(set, [1, 200], 1) === null, false)
})

test('more of what was not lacking is asked about: it may lack now, or never fit', () => {
  const known = new KnownStates()
  const set = limitSet([rate(), tokenRate()])
  known.note(set, denied(state(60, 10e6), state(0, 0)), [1, 200], 0)
  equal(known.findDenial(set, [1, 200], 1) === null, false)
  equal(known.findDenial(set, [1, 201], 1), null)
})

test('other limits of the same caller are asked about at once', () => {
  const known = new KnownStates()
  known.note(limitSet([rate()], { accountId: 'a' }), denied(state(60, 10e6)), [1], 0)
  equal(known.findDenial(limitSet([rate({ size: 61 })], { accountId: 'a' }), [1], 1), null)
})

test('what is given back of a limit that was lacking ends the denial', () => {
  const known = new KnownStates()
  const set = limitSet([rate(), tokenRate(), flight()])
  const note = (...waits: readonly number[]) =>
    known.note(set, denied(...waits.map(waitUs => state(0, waitUs))), [1, 100, 1], 0)
  const isDenied = () => known.findDenial(set, [1, 100, 1], 1) !== null
  note(1e6, 0, 0)
  known.forgetDenial(set, [1, 100, 1], [1, 10, 1])
  equal(isDenied(), true)
  note(0, 1e6, 0)
  known.forgetDenial(set, [1, 100, 1], [1, 100, 1])
  equal(isDenied(), true)
  known.forgetDenial(set, [1, 100, 1], [1, 99, 1])
  equal(isDenied(), false)
  note(0, 0, Infinity)
  known.forgetDenial(set, [1, 100, 1], [1, 100, 1])
  equal(isDenied(), false)
})

test('what was used is known less what has been refilled, and not beyond its period', () => {
  const known = new KnownStates()
  const set = limitSet([rate(), quota({ period: 'day', name: 'spend_per_day' }), flight()])
  equal(known.usedNow(set, 0), null)
  known.note(set, denied(state(50, 0), state(700, 0), state(2, 1)), [1, 1, 1], 0)
  deepEqual(known.usedNow(set, 10_000), [40, 700, 2])
  deepEqual(known.usedNow(set, 13 * 3_600_000), [0, 0, 2])
  deepEqual(known.usedNow(set, 500, 500), [50, 700, 2])
  equal(known.usedNow(set, 501, 500), null, 'what others have used since is not known')
})
