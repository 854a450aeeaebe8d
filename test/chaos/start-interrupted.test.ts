import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shownKey, statusWith, untilReady } from '../e2e/process/calls.ts'
import { startGateway } from '../support/gateway-process.ts'
import { interruptOnDatabases, startAndEnd } from '../support/interrupted-start.ts'
import { makeTempDir } from '../support/temp-dir.ts'

/** From before the first line of the program to after the database of the first start. */
const longestMs = 5000
const rounds = { SIGTERM: 100, SIGKILL: 20 } as const

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`G04 ${signal} at any moment of the start: at once, no orphans, and the folder stays usable`, async t => {
    const folder = makeTempDir(t)
    let slowestMs = 0
    let key = ''
    for (let round = 0; round < rounds[signal]; round += 1) {
      const afterMs = Math.round((longestMs * round) / rounds[signal])
      const { code, by, tookMs, stderr } = await startAndEnd(t, { folder, afterMs, signal })
      if (signal === 'SIGTERM')
        assert.ok(code === 0 || by === 'SIGTERM', `${code} ${by} after ${afterMs} ms: ${stderr}`)
      slowestMs = Math.max(slowestMs, tookMs)
      key = /sk-weir-\w{16}-\w{54}/.exec(stderr)?.[0] ?? key
      const complaints = stderr.split('\n').filter(line => line !== '' && !/^weir: (first start|try it)/.test(line))
      assert.deepEqual(complaints, [], `after ${afterMs} ms`)
    }
    t.diagnostic(`the slowest of ${rounds[signal]} took ${Math.round(slowestMs)} ms to end`)
    assert.ok(slowestMs < 2000)
    const gateway = await startGateway(t, { folder })
    await untilReady(gateway.url)
    assert.equal(await statusWith(gateway.url, key === '' ? await shownKey(gateway) : key), 200)
  })
}

test('G04 SIGTERM at any moment of 100 starts on new databases: at once, each with its whole schema or none, and no lock is left', t =>
  interruptOnDatabases(t, 100))
