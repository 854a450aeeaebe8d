import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FailureDetector } from '../../src/limits/failure-detector.ts'
import { createInbox } from '../support/inbox.ts'

function watch() {
  const told = createInbox<string>('event of the detector')
  const log: string[] = []
  const tell = (event: string) => () => {
    log.push(event)
    told.put(event)
  }
  const detector = new FailureDetector({ onSuspect: tell('suspect'), onTrust: tell('trust'), onLost: tell('lost') })
  return { detector, log, next: () => told.take() }
}

test('who is silent is suspected, then lost, each once', async () => {
  const { detector, log, next } = watch()
  const atMs = performance.now()
  detector.sent()
  equal(await next(), 'suspect')
  ok(performance.now() - atMs >= 35)
  equal(detector.isSuspected, true)
  equal(await next(), 'lost')
  ok(performance.now() - atMs >= 195)
  await sleep(50)
  deepEqual(log, ['suspect', 'lost'])
})

test('who answers others is not silent', async () => {
  const { detector, log } = watch()
  detector.sent()
  for (let others = 0; others < 20; others += 1) {
    detector.sent()
    await sleep(5)
    detector.answered()
  }
  deepEqual(log, [])
})

test('who answers is trusted again at once, and may be suspected anew', async () => {
  const { detector, log, next } = watch()
  detector.sent()
  await next()
  detector.answered()
  deepEqual([detector.isSuspected, log], [false, ['suspect', 'trust']])
  detector.sent()
  await next()
  equal(await next(), 'suspect')
  detector.trust()
  equal(detector.isSuspected, false)
})

test('without anybody who waits nobody is silent', async () => {
  const { detector, log } = watch()
  detector.sent()
  detector.failed()
  await sleep(60)
  detector.sent()
  detector.answered()
  await sleep(60)
  deepEqual(log, [])
})

test('where all who waited have failed the suspicion ends with them', async () => {
  const { detector, log, next } = watch()
  detector.sent()
  await next()
  detector.failed()
  equal(await next(), 'trust')
  deepEqual([detector.isSuspected, log], [false, ['suspect', 'trust']])
})

test('a process that was held up does not take its own silence for that of others', async () => {
  const { detector, log } = watch()
  detector.sent()
  for (let times = 0; times < 3; times += 1) {
    const untilMs = performance.now() + 100
    while (performance.now() < untilMs);
    // Whatever was due is done, and what has come could be read.
    await new Promise(setImmediate)
  }
  detector.answered()
  deepEqual(log, [])
})
