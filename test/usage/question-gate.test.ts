import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WeirError } from '../../src/errors.ts'
import { QuestionGate } from '../../src/usage/question-gate.ts'

const isRefused = (error: unknown) => error instanceof WeirError && error.kind === 'overloaded'

test('three questions of an account are answered at once, and six of all; who ends makes room, in whatever way', async () => {
  const gate = new QuestionGate()
  const open: PromiseWithResolvers<string>[] = []
  const ask = (account: string) => {
    const answer = Promise.withResolvers<string>()
    const asked = gate.ask(account, () => answer.promise)
    open.push(answer)
    return asked
  }
  const asked = ['a', 'a', 'a'].map(ask)
  await assert.rejects(ask('a'), isRefused)
  asked.push(...['b', 'b', 'c'].map(ask))
  await assert.rejects(ask('d'), isRefused)
  open[0]?.resolve('yes')
  assert.equal(await asked[0], 'yes')
  open[1]?.reject(new Error('no'))
  await assert.rejects(asked[1] ?? Promise.resolve(), /no/)
  const more = ['a', 'd'].map(ask)
  await assert.rejects(ask('b'), isRefused)
  for (const answer of open) answer.resolve('late')
  assert.deepEqual(await Promise.all([...asked.slice(2), ...more]), Array(6).fill('late'))
})
