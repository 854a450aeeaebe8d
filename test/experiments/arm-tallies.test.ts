import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArmTallies } from '../../src/experiments/arm-tallies.ts'

const call = { participant: 1, hasFailed: false, firstTokenMs: null, interTokenMs: null, usage: null }
const assigned = (experiment: string, arm: string) => ({ experiment, arm, isCounted: true, participant: 1 })

test('each arm of each experiment is counted by itself, and those of another configuration are forgotten', () => {
  const configured = new Map([
    ['one', ['a', 'b']],
    ['two', ['a', 'b']],
  ])
  const tallies = new ArmTallies(name => configured.get(name) ?? [])
  const observe = (...calls: readonly (readonly [experiment: string, arm: string])[]) => {
    for (const [experiment, arm] of calls) tallies.observe(assigned(experiment, arm), call)
  }
  const requests = (name: string) =>
    Object.fromEntries([...(tallies.find(name)?.arms ?? [])].map(([arm, { requests }]) => [arm, requests]))
  assert.equal(tallies.find('one'), undefined)
  observe(['one', 'a'], ['one', 'b'], ['one', 'a'], ['two', 'a'], ['two', 'b'])
  assert.deepEqual(
    [requests('one'), requests('two')],
    [
      { a: 2, b: 1 },
      { a: 1, b: 1 },
    ],
  )
  configured.delete('one')
  configured.set('two', ['a', 'c']).set('three', ['a'])
  observe(['three', 'a'], ['two', 'c'])
  assert.equal(tallies.find('one'), undefined)
  assert.deepEqual(requests('two'), { a: 1, c: 1 })
})
