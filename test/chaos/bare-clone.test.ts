import { match, strictEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { cloneRepository, finish, type } from '../e2e/new-user.ts'

const installMs = 5 * 60_000
const testsMs = 10 * 60_000
const checkMs = 5 * 60_000

test('the tests and the check pass on a bare clone, which they install', {
  timeout: installMs + testsMs + checkMs,
}, async t => {
  const clone = cloneRepository(t)

  await t.test('npm test', async t => {
    const shell = type(t, clone, ['npm', 'test'])
    strictEqual(await finish(shell, installMs + testsMs), 0, shell.describe())
    match(shell.stdout.join('\n'), /^\S+ fail 0$/m)
  })

  await t.test('npm run check', async t => {
    const shell = type(t, clone, ['npm', 'run', 'check'])
    strictEqual(await finish(shell, checkMs), 0, shell.describe())
  })
})
