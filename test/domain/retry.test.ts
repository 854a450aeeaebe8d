import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RetryBudget } from '../../src/domain/retry.ts'

/** As many retries as there are, counted. */
function spend(budget: RetryBudget): number {
  let retries = 0
  for (; budget.mayWithdraw; retries += 1) budget.withdraw()
  return retries
}

test('R01 whatever happens in which order, retries are no more than a fifth of the calls and three', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 2000, size: 'max' }), isRetries => {
      const budget = new RetryBudget()
      let [calls, retries] = [0, 0]
      for (const isRetry of isRetries) {
        if (!isRetry) {
          budget.deposit()
          calls += 1
        } else if (budget.mayWithdraw) {
          budget.withdraw()
          retries += 1
        }
      }
      assert.ok(retries + spend(budget) <= 3 + calls / 5 + 1e-6)
    }),
  )
})

test('a hundred are saved up at the most', () => {
  const budget = new RetryBudget()
  assert.equal(spend(budget), 3)
  for (let calls = 0; calls < 5; calls += 1) budget.deposit()
  assert.equal(spend(budget), 1)
  for (let calls = 0; calls < 100_000; calls += 1) budget.deposit()
  assert.equal(spend(budget), 100)
})
