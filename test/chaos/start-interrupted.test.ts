import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isAlive, shownKey, statusWith, untilReady } from '../e2e/process/calls.ts'
import { onEnd } from '../support/cleanup.ts'
import { eventually } from '../support/eventually.ts'
import { startGateway } from '../support/gateway-process.ts'
import { within } from '../support/inbox.ts'
import { processTree } from '../support/process-tree.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const server = fileURLToPath(new URL('../../src/server.ts', import.meta.url))
const rounds = 20
/** From before the first line of the program to after the database of the first start. */
const longestMs = 5000

type Ending = 'SIGTERM' | 'SIGKILL'

/** One start with everything embedded, ended after so long. No event tells of the moments that matter here. */
async function startAndEnd(t: TestContext, folder: string, afterMs: number, signal: Ending) {
  const child = spawn(process.execPath, [server], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: folder, HOST: '127.0.0.1', PORT: '0' },
  })
  onEnd(t, () => child.kill('SIGKILL'))
  const exit = once(child, 'exit')
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  await delay(afterMs)
  const children = processTree(child.pid ?? 0).slice(1)
  const sinceMs = performance.now()
  child.kill(signal)
  const [code, by] = await within(exit, 10_000, () => `it does not end after ${signal}: ${stderr}`)
  const tookMs = performance.now() - sinceMs
  // The engine sees that its channel has closed; one that is still loading sees it when it has loaded.
  await eventually('no process is left', () => !children.some(isAlive))
  return { code, by, tookMs, stderr }
}

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`G04 ${signal} at any moment of the start: at once, no orphans, and the folder stays usable`, async t => {
    const folder = makeTempDir(t)
    let slowestMs = 0
    let key = ''
    for (let round = 0; round < rounds; round += 1) {
      const afterMs = Math.round((longestMs * round) / rounds)
      const { code, by, tookMs, stderr } = await startAndEnd(t, folder, afterMs, signal)
      if (signal === 'SIGTERM')
        assert.ok(code === 0 || by === 'SIGTERM', `${code} ${by} after ${afterMs} ms: ${stderr}`)
      slowestMs = Math.max(slowestMs, tookMs)
      key = /sk-weir-\w{16}-\w{54}/.exec(stderr)?.[0] ?? key
      const complaints = stderr.split('\n').filter(line => line !== '' && !/^weir: (first start|try it)/.test(line))
      assert.deepEqual(complaints, [], `after ${afterMs} ms`)
    }
    t.diagnostic(`the slowest of ${rounds} took ${Math.round(slowestMs)} ms to end`)
    assert.ok(slowestMs < 2000)
    const gateway = await startGateway(t, { folder })
    await untilReady(gateway.url)
    assert.equal(await statusWith(gateway.url, key === '' ? await shownKey(gateway) : key), 200)
  })
}
