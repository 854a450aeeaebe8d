import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Standing } from '../../src/backend/standing.ts'

function start() {
  let nowMs = 1_000_000
  const standing = new Standing(null, () => nowMs)
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { standing, pass }
}

test('one that has come back begins with a tenth of its share, and has all of it after twenty seconds', () => {
  const { standing, pass } = start()
  assert.equal(standing.share, 1)
  standing.seems(true)
  assert.equal(standing.share, 1, 'it was never away')
  standing.seems(false)
  assert.equal(standing.seemsUp, false)
  pass(60_000)
  standing.seems(true)
  assert.equal(standing.share, 0.1)
  pass(5000)
  standing.seems(true)
  assert.equal(standing.share, 0.25, 'to be up still begins nothing anew')
  pass(5000)
  assert.equal(standing.share, 0.5)
  pass(10_000)
  assert.equal(standing.share, 1)
  // As after the pause of a breaker.
  standing.cameBack()
  assert.equal(standing.share, 0.1)
})

test('one that turns a call away is passed over for as long as it says, within bounds, or until it is seen up again', () => {
  const { standing, pass } = start()
  standing.turnedAway(5000)
  assert.equal(standing.isWilling, false)
  pass(4999)
  assert.equal(standing.isWilling, false)
  pass(1)
  assert.equal(standing.isWilling, true)
  standing.turnedAway(0)
  pass(999)
  assert.equal(standing.isWilling, false)
  pass(1)
  standing.turnedAway(3_600_000)
  // A shorter one does not take it back.
  standing.turnedAway(1000)
  pass(29_999)
  assert.equal(standing.isWilling, false)
  pass(1)
  assert.equal(standing.isWilling, true)
  standing.turnedAway(30_000)
  standing.seems(false)
  standing.seems(true)
  assert.equal(standing.isWilling, true)
})
