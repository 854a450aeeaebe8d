import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { onEnd } from './cleanup.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { processesIn, processTree } from './process-tree.ts'

/** A server that does no more than to run a shell's lines and say that it is ready. */
async function startShell(t: TestContext, lines: string): Promise<Daemon> {
  const daemon = await startDaemon({
    name: 'the shell',
    folder: mkdtempSync(join(tmpdir(), 'weir-test-daemon-')),
    command: 'sh',
    args: () => ['-c', lines],
    readyText: 'ready',
    stopSignal: 'SIGTERM',
    url: port => `tcp://127.0.0.1:${port}`,
  })
  onEnd(t, () => daemon.remove())
  return daemon
}

// It belongs to nobody any more, works in the folder and holds the pipes, as a PostgreSQL process does whose server was
// killed right after it had started it.
const orphan = '(sleep 300 &)\necho ready\nexec sleep 300'

test('kill also ends who is not in the tree, and returns when all are gone', async t => {
  const daemon = await startShell(t, orphan)
  assert.equal(processTree(daemon.pid).length, 1)
  assert.equal(processesIn(daemon.folder).length, 2)
  await daemon.kill()
  assert.deepEqual(processesIn(daemon.folder), [])
})

test('stop ends as well who has not been told by the server', async t => {
  const daemon = await startShell(t, `trap 'exit 0' TERM\n${orphan.replace('exec sleep 300', 'sleep 300 & wait')}`)
  await daemon.stop()
  assert.deepEqual(processesIn(daemon.folder), [])
})

test('kill ends a server that starts children all the time', async t => {
  const daemon = await startShell(t, 'echo ready\nwhile :; do (sleep 300 &); done')
  await daemon.kill()
  assert.deepEqual(processesIn(daemon.folder), [])
})
