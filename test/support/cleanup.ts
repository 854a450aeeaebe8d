import type { TestContext } from 'node:test'
import { within } from './inbox.ts'

type Step = () => unknown

const MAX_STEP_MS = 30_000
const stacks = new WeakMap<TestContext, Step[]>()

/**
 * Runs `step` when the test ends, last registered first (node:test's own `t.after` runs first registered first): who was
 * built on something is closed before it. Every step runs, also after one has failed or has not ended within 30 s.
 */
export function onEnd(t: TestContext, step: Step): void {
  const known = stacks.get(t)
  if (known !== undefined) {
    known.push(step)
    return
  }
  const steps = [step]
  stacks.set(t, steps)
  t.after(async () => {
    const failures: unknown[] = []
    for (let next = steps.pop(); next !== undefined; next = steps.pop()) {
      try {
        await within(
          Promise.resolve(next()),
          MAX_STEP_MS,
          () => `a step has not ended within ${MAX_STEP_MS} ms: ${next}`,
        )
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'cleaning up after the test failed')
  })
}
