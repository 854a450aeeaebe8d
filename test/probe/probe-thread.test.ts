import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { startProbeThread } from '../../src/probe/probe-thread.ts'
import { VitalSigns, verdicts } from '../../src/probe/vital-signs.ts'
import { Readiness } from '../../src/readiness.ts'
import { onEnd } from '../support/cleanup.ts'

const nobody = () => undefined

async function start(t: Parameters<typeof onEnd>[0], signs: VitalSigns) {
  const thread = await startProbeThread({ memory: signs.memory, host: '127.0.0.1', port: 0 }, nobody)
  onEnd(t, () => thread.close())
  return {
    thread,
    ask: async (path: string, method = 'GET') => {
      const response = await fetch(thread.url + path, { method })
      return [response.status, method === 'HEAD' ? '' : JSON.parse(await response.text()).status]
    },
  }
}

/** As if the main thread had its last turn so long ago. */
function age(signs: VitalSigns, ms: number): void {
  new BigInt64Array(signs.memory)[0] = process.hrtime.bigint() - BigInt(ms) * 1_000_000n
}

test('G07 without a beat it is not ready after a second, and dead after half a minute', async t => {
  const signs = new VitalSigns()
  signs.verdict = 'ready'
  const { ask } = await start(t, signs)
  const both = async () => [await ask('/health/live'), await ask('/health/ready')]
  const [yes, blocked] = [
    [200, 'ok'],
    [503, 'blocked'],
  ]
  signs.beat()
  deepEqual(await both(), [yes, yes])
  age(signs, 1100)
  deepEqual(await both(), [yes, blocked])
  age(signs, 29_000)
  deepEqual(await both(), [yes, blocked])
  age(signs, 30_100)
  deepEqual(await both(), [blocked, blocked])
  signs.beat()
  deepEqual(await both(), [yes, yes], 'whoever comes back is back')
})

test('it is ready while all that it needs is there, and says what it is otherwise', async t => {
  const readiness = new Readiness()
  const { ask } = await start(t, readiness.signs)
  let isThere = true
  readiness.needs(() => isThere)
  deepEqual(await ask('/health/ready'), [503, 'starting'])
  readiness.state = 'ready'
  deepEqual(await ask('/health/ready'), [200, 'ok'])
  isThere = false
  readiness.beat()
  deepEqual(await ask('/health/ready'), [503, 'degraded'])
  isThere = true
  readiness.state = 'stopping'
  deepEqual(await ask('/health/ready'), [503, 'stopping'], 'at once, not with the next beat')
  deepEqual(await ask('/health/live'), [200, 'ok'])
})

test('nothing else is there', async t => {
  const signs = new VitalSigns()
  const { ask, thread } = await start(t, signs)
  for (const path of ['/', '/metrics', '/health', '/health/live/x', '/%', '//health/live'])
    equal((await ask(path))[0], 404, path)
  equal((await ask('/health/live', 'POST'))[0], 405)
  // RFC 9110 §15.5.6: such an answer says what is taken.
  equal((await fetch(`${thread.url}/health/live`, { method: 'POST' })).headers.get('allow'), 'GET, HEAD')
  deepEqual(await ask('/health/live?verbose', 'HEAD'), [200, ''])
  for (const verdict of verdicts) {
    signs.verdict = verdict
    equal(signs.verdict, verdict)
  }
})

test('where it cannot listen whoever starts the server is told as by any listener', async t => {
  const { thread } = await start(t, new VitalSigns())
  const port = Number(new URL(thread.url).port)
  const options = { memory: new VitalSigns().memory, host: '127.0.0.1', port }
  await rejects(startProbeThread(options, nobody), {
    code: 'EADDRINUSE',
    syscall: 'listen',
    address: '127.0.0.1',
    port,
  })
})
