import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { Recounts } from '../../src/limits/recounts.ts'

test('whose prompt was counted in vain has none counted for a quarter of a second', () => {
  const recounts = new Recounts()
  equal(recounts.mayCount('a', 0), true)
  recounts.countedInVain('a', 0)
  equal(recounts.mayCount('a', 249), false)
  equal(recounts.mayCount('b', 249), true)
  equal(recounts.mayCount('a', 250), true)
})
