import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { acquireLock, DataDirBusyError, tryLock } from '../../src/embedded/lock.ts'
import { onEnd } from '../support/cleanup.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const holder = `
  import { tryLock } from ${JSON.stringify(new URL('../../src/embedded/lock.ts', import.meta.url).href)}
  const isHeld = tryLock(process.argv[1]) !== null
  // Nobody refers to the lock any more: it once went with the next garbage collection.
  globalThis.gc()
  setImmediate(() => console.log(isHeld ? 'held' : 'busy'))
  setInterval(() => {}, 1000)
`

test('one process holds the folder until it is killed', async t => {
  const dataDir = makeTempDir(t)
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', holder, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onEnd(t, () => child.kill('SIGKILL'))
  const [line] = await once(child.stdout, 'data')
  assert.equal(String(line), 'held\n')

  assert.equal(tryLock(dataDir), null)
  await assert.rejects(acquireLock(dataDir, 0), error => {
    assert.ok(error instanceof DataDirBusyError)
    assert.ok(error.message.includes(dataDir))
    assert.match(error.message, /WEIR_DATA_DIR/)
    return true
  })

  const waiting = acquireLock(dataDir, 30_000)
  child.kill('SIGKILL')
  const lock = await waiting
  assert.equal(statSync(join(dataDir, 'lock.db')).mode & 0o777, 0o600)
  lock.release()
})

test('within one process it is held once as well, and can be taken again when it is given back', t => {
  const dataDir = makeTempDir(t)
  const lock = tryLock(dataDir)
  assert.ok(lock)
  assert.equal(tryLock(dataDir), null)
  lock.release()
  const again = tryLock(dataDir)
  assert.ok(again)
  again.release()
})
