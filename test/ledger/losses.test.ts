import { deepStrictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { Losses } from '../../src/ledger/losses.ts'

test('the first loss is told at once, those that follow together, and none is forgotten', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const said: [string, number][] = []
  const losses = new Losses((id, events) => said.push([id, events]))
  for (const id of ['a', 'b', 'c']) losses.lost({ id })
  deepStrictEqual(said.splice(0), [['a', 1]])
  t.mock.timers.tick(9999)
  deepStrictEqual(said.splice(0), [])
  t.mock.timers.tick(1)
  deepStrictEqual(said.splice(0), [['c', 2]])
  t.mock.timers.tick(30_000)
  deepStrictEqual(said.splice(0), [])
  losses.lost({ id: 'd' })
  losses.lost({ id: 'e' })
  losses.stop()
  deepStrictEqual(said, [
    ['d', 1],
    ['e', 1],
  ])
})
