import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reportArmCosts } from '../../src/domain/arm-cost.ts'

const cost = (requests: bigint, nanoUsd: bigint, unpriced = 0n) => ({ requests, nanoUsd, unpriced })

test('a mean is rounded half up, and compared with that of the control', () => {
  const costs = new Map([
    ['control', cost(4n, 10n)],
    ['dear', cost(2n, 9n, 1n)],
    ['gone', cost(9n, 9n)],
  ])
  const reports = reportArmCosts(['control', 'dear', 'new'], costs)
  assert.deepEqual(reports.get('control'), { ...cost(4n, 10n), meanNanoUsd: 3n, timesControl: null })
  assert.deepEqual(reports.get('dear'), { ...cost(2n, 9n, 1n), meanNanoUsd: 5n, timesControl: 1.8 })
  assert.deepEqual(reports.get('new'), { ...cost(0n, 0n), meanNanoUsd: null, timesControl: null })
  assert.equal(reports.has('gone'), false)
})

test('nothing is compared with a control that cost nothing or has done nothing', () => {
  for (const control of [cost(0n, 0n), cost(3n, 0n)]) {
    const reports = reportArmCosts(
      ['a', 'b', 'c'],
      new Map([
        ['a', control],
        ['b', cost(1n, 5n)],
        ['c', cost(1n, 0n)],
      ]),
    )
    assert.deepEqual([reports.get('b')?.timesControl, reports.get('c')?.timesControl], [null, null])
  }
  const free = reportArmCosts(
    ['a', 'b'],
    new Map([
      ['a', cost(1n, 5n)],
      ['b', cost(1n, 0n)],
    ]),
  )
  assert.equal(free.get('b')?.timesControl, 0)
})

test('sums beyond what a number holds are exact', () => {
  const [reported] = reportArmCosts(['a'], new Map([['a', cost(3n, 3n * 10n ** 18n + 1n)]])).values()
  assert.deepEqual([reported?.nanoUsd, reported?.meanNanoUsd], [3n * 10n ** 18n + 1n, 10n ** 18n])
})
