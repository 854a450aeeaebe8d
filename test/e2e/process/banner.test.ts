import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onEnd } from '../../support/cleanup.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { within } from '../../support/inbox.ts'
import { processTree } from '../../support/process-tree.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, isAlive, pepper } from './calls.ts'

const server = fileURLToPath(new URL('../../../src/server.ts', import.meta.url))

/** Starts it as a person does, at a terminal: util-linux's `script` makes a pseudo-terminal and copies what appears there. */
function startAtTerminal(t: TestContext, env: Record<string, string>) {
  const folder = makeTempDir(t)
  const command = `exec '${process.execPath}' '${server}' 2>&1`
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], HOME: folder, HOST: '127.0.0.1', PORT: '0', NODE_ENV: 'production', ...env },
  })
  const closed = new Promise<number | null>(resolve => terminal.once('close', resolve))
  onEnd(t, async () => {
    for (const pid of processTree(terminal.pid ?? 0).reverse()) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    await closed
  })
  let text = ''
  terminal.stdout.setEncoding('utf8').on('data', part => {
    text += part
  })
  /** What is neither log nor empty; resolves when the last line of it has come. */
  const banner = async () => {
    await eventually('the banner', () => /\n {7}-d .*\r\n/.test(text), { withinMs: 30_000 })
    return text
      .replaceAll('\r', '')
      .split('\n')
      .filter(line => !line.startsWith('{'))
  }
  const exit = () => within(closed, 30_000, () => `it does not end:\n${text}`)
  return { banner, exit, type: (keys: string) => void terminal.stdin.write(keys), text: () => text }
}

/** Runs lines of the banner as somebody would who copies them into a shell. */
async function paste(lines: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await promisify(execFile)('sh', ['-c', `${lines.join('\n')} -sSN`], {
    env: { PATH: process.env['PATH'], ...env },
    timeout: 30_000,
  })
  return stdout
}

test('at a terminal a first start shows where it is, what it has, the key and a line to copy; Ctrl-C ends it', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ model: "it's $HOME/`id`" }))
  const rude = await startScriptedBackend(t, llamaServer({ model: 'red\u001b[31m' }))
  const { banner, exit, type, text } = startAtTerminal(t, {
    DATABASE_URL: await createDatabase(t),
    WEIR_KEY_PEPPER: pepper,
    WEIR_BACKEND_URL: `${backend.url},${rude.url}`,
    INTERNAL_PORT: '0',
  })
  const lines = await banner()
  const [, weir, internal, models, storage, key, , ...curl] = lines
  assert.ok(lines.length <= 12, lines.join('\n'))
  assert.match(weir ?? '', /^ {2}Weir +http:\/\/127\.0\.0\.1:\d+\/v1 +docs http:\/\/127\.0\.0\.1:\d+\/docs$/)
  assert.match(internal ?? '', /^ {2}internal +http:\/\/127\.0\.0\.1:\d+$/)
  assert.equal(models, "  models     it's $HOME/`id`, red?[31m")
  assert.equal(storage, '  storage    PostgreSQL, no Redis')
  assert.match(key ?? '', /^ {2}key +sk-weir-\w{16}-\w{54} {3}\(shown this once\)$/)
  assert.match(await paste(curl.slice(0, 2)), /data: \{.*data: \[DONE\]\n\n$/s)
  assert.doesNotMatch(lines.join('\n'), /weir: first start/, 'the key is shown in one place')
  type('\u0003')
  assert.equal(await exit(), 0)
  assert.match(text(), /"signal":"SIGINT"/)
})

test('with a preset key the line to copy names the variable, and works where that is set', async t => {
  const backend = await startScriptedBackend(t)
  const { banner } = startAtTerminal(t, {
    DATABASE_URL: await createDatabase(t),
    WEIR_KEY_PEPPER: pepper,
    WEIR_BACKEND_URL: backend.url,
    WEIR_ADMIN_KEY: adminKey,
  })
  const lines = await banner()
  assert.ok(lines.includes('  key        WEIR_ADMIN_KEY, as configured'))
  assert.equal(lines.join('\n').includes(adminKey), false)
  const curl = lines.filter(line => /^ +(curl|-d) /.test(line))
  assert.match(await paste(curl, { WEIR_ADMIN_KEY: adminKey }), /data: \[DONE\]\n\n$/)
})

test('a developer at a terminal reads the log in words, and what is hostile in it cannot reach the terminal', async t => {
  const backend = await startScriptedBackend(t, llamaServer())
  const { exit, type, text } = startAtTerminal(t, {
    ...{ NODE_ENV: 'development', DATABASE_URL: await createDatabase(t), WEIR_KEY_PEPPER: pepper },
    ...{ WEIR_ADMIN_KEY: adminKey, WEIR_BACKEND_URL: backend.url },
  })
  await eventually('it listens', () => /INFO.*: .*listening/.test(text()), { withinMs: 30_000 })
  assert.doesNotMatch(text(), /^\{"level"/m)
  type('\u0003')
  assert.equal(await exit(), 0)
})
