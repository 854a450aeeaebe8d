import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { LiveStates } from '../../src/experiments/live-states.ts'
import { DatabaseUnavailableError } from '../../src/store/deadline.ts'
import type { StoredExperiment } from '../../src/store/experiment-states.ts'
import { onEnd } from '../support/cleanup.ts'
import { until } from '../support/until.ts'

const running = (rampPercent: number) => ({ status: 'running', rampPercent }) as const
const stored = (rampPercent: number, atMs: number, name = 'x'): StoredExperiment => ({
  name,
  state: running(rampPercent),
  updatedAt: new Date(atMs),
  version: String(atMs),
})

/** `answer` is what the database says, one look after another. */
function build(
  t: TestContext,
  answer: (look: number) => Promise<readonly StoredExperiment[]> | readonly StoredExperiment[],
) {
  const world = { looks: 0, isNeeded: true, warnings: [] as object[] }
  const states = new LiveStates({
    load: async () => await answer(++world.looks),
    isNeeded: () => world.isNeeded,
    log: { warn: details => void world.warnings.push(details) },
    times: { intervalMs: 5, retryMs: 5 },
  })
  onEnd(t, () => states.stop())
  return { world, states }
}

test('nothing is known before the first answer; from then on all that nobody has spoken of runs in full', async t => {
  const { promise, resolve } = Promise.withResolvers<readonly StoredExperiment[]>()
  const { states } = build(t, () => promise)
  states.look()
  assert.equal(states.find('x'), null)
  // Also while one is known that was changed here: of the others nobody knows.
  states.note(stored(7, 1))
  assert.equal(states.find('y'), null)
  resolve([])
  await until('it is read', () => states.find('y') !== null)
  assert.deepEqual(states.find('y'), running(100))
  assert.deepEqual(states.find('x'), running(7))
})

test('what the database says is found sooner or later, whoever changed it, and stays while it cannot say', async t => {
  const { world, states } = build(t, look => {
    if (look > 3 && look < 9) throw new DatabaseUnavailableError('away')
    return [stored(look, look)]
  })
  await until('it is away', () => world.looks === 5)
  assert.deepEqual(states.find('x'), running(3))
  await until('it is back', () => world.looks >= 10)
  assert.ok((states.find('x')?.rampPercent ?? 0) >= 9)
  assert.deepEqual(world.warnings, [])
})

test('an answer that was asked for before a change does not undo it', async t => {
  const answers = [0, 1].map(() => Promise.withResolvers<readonly StoredExperiment[]>())
  const { world, states } = build(t, look => answers[look - 1]?.promise ?? [])
  states.look()
  states.note(stored(2, 2))
  states.look()
  answers[0]?.resolve([stored(1, 1)])
  await until('it is read again', () => world.looks === 2)
  assert.deepEqual(states.find('x'), running(2))
  answers[1]?.resolve([stored(3, 3)])
  await until('that is read', () => states.find('x')?.rampPercent === 3)
})

test('a mistake is said once, and nothing is asked while there are no experiments', async t => {
  const { world } = build(t, () => {
    throw new Error('relation "experiment_states" does not exist')
  })
  await until('it has been tried again', () => world.looks >= 3)
  assert.equal(world.warnings.length, 1)
  const idle = build(t, () => [])
  idle.world.isNeeded = false
  idle.states.look()
  await until('the other has gone on', () => world.looks >= 6)
  assert.equal(idle.world.looks, 0)
})
