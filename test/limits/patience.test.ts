import { equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Patience } from '../../src/limits/patience.ts'

const never = new Promise<never>(() => {})

test('an answer is passed on, and so is a refusal', async () => {
  const patience = new Patience()
  equal(await patience.wait(Promise.resolve(1)), 1)
  await rejects(patience.wait(Promise.reject(new Error('NOPERM'))), /NOPERM/)
})

test('silence is not waited for', async () => {
  await rejects(new Patience().wait(never), /Redis has not answered for \d+ ms/)
})

test('whoever is not answered while others are waits on, but not for ever', async () => {
  const patience = new Patience()
  const atMs = performance.now()
  const ended = rejects(patience.wait(never)).then(() => performance.now() - atMs)
  let isOver = false
  const others = (async () => {
    while (!isOver) {
      await patience.wait(sleep(5))
    }
  })()
  const waitedMs = await ended
  isOver = true
  await others
  ok(waitedMs >= 450, `${waitedMs} ms`)
})

test('a process that was held up looks again before it gives up', async () => {
  const patience = new Patience()
  const answer = patience.wait(sleep(120).then(() => 'late'))
  // Nothing is read in the meantime, neither of Redis nor of the clock.
  const untilMs = performance.now() + 80
  while (performance.now() < untilMs);
  equal(await answer, 'late')
})

test('once Redis is known to be away nobody waits any more', async () => {
  const patience = new Patience()
  const waits = Array.from({ length: 10 }, () => rejects(patience.wait(never)))
  patience.giveUp()
  await Promise.all(waits)
})
