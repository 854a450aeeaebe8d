import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { onEnd } from '../../support/cleanup.ts'
import { adminKey } from '../../support/gateway.ts'
import { happens, within } from '../../support/inbox.ts'
import { signalTree } from '../../support/process-tree.ts'
import { createDatabase } from '../../support/services.ts'

test('a SIGTERM to `npm start`, whose shell keeps it to itself, stops the server all the same', {
  timeout: 20_000,
}, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-orphan-'))
  onEnd(t, () => rmSync(folder, { recursive: true, force: true }))
  const env = {
    PATH: process.env['PATH'] ?? '',
    npm_lifecycle_event: 'start',
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
    HOST: '127.0.0.1',
    PORT: '0',
    MIN_DRAIN: '0s',
    WEIR_DATA_DIR: folder,
    WEIR_ADMIN_KEY: adminKey,
    WEIR_KEY_PEPPER: 'test-pepper-0123456789-0123456789-0123',
    WEIR_BACKEND_URL: 'http://127.0.0.1:9',
    DATABASE_URL: await createDatabase(t),
  }
  // As npm does it; the second command keeps the shell from replacing itself by the server.
  const shell = spawn('sh', ['-c', `${process.execPath} src/server.ts; true`], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  // Whatever becomes of the test, the server does not outlive it.
  onEnd(t, () => signalTree(shell.pid ?? 0, 'SIGKILL'))
  const messages: string[] = []
  const lines = createInterface({ input: shell.stdout })
  const listening = Promise.withResolvers<void>()
  lines.on('line', line => {
    messages.push(JSON.parse(line).msg)
    if (messages.includes('listening')) listening.resolve()
  })
  await within(listening.promise, 10_000, () => `it does not listen: ${messages.join(', ')}`)
  shell.kill('SIGTERM')
  // Only the server holds the other end now: it closes when the server is gone.
  await happens(lines, 'close')
  assert.ok(messages.includes('stopping'))
})
