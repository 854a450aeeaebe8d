/** The examples of docs/API.md, pasted into a shell one after the other, as a reader would. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ConfigError } from '../../src/config/problem.ts'
import { loadConfig } from '../../src/config.ts'
import { startGateway } from '../support/gateway-process.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'
import { createDatabase } from '../support/services.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { adminKey, pepper, untilReady } from './process/calls.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/API.md'), 'utf8')
const blocks = [...page.matchAll(/^```(bash|js|yaml)\n([\s\S]*?)^```$/gm)].map(([, language, text = '']) => ({
  language,
  text,
}))

test('every example of docs/API.md works as it stands', async t => {
  const backend = await startScriptedBackend(t)
  const env = {
    DATABASE_URL: await createDatabase(t),
    WEIR_KEY_PEPPER: pepper,
    WEIR_ADMIN_KEY: adminKey,
    WEIR_BACKEND_URL: backend.url,
  }
  const { url } = await startGateway(t, { env })
  await untilReady(url)
  const script = blocks.flatMap(({ language, text }) => {
    if (language === 'bash') return [text]
    // A program of its own, which gets the shell's variables.
    return language === 'js' ? [`export WEIR KEY MODEL\nnode --input-type=module <<'EOF'\n${text}EOF\n`] : []
  })
  assert.ok(script.length >= 8, 'examples are found')
  // Not by spawnSync: the backend is in this process, and has to answer meanwhile. Rejects with what bash has complained of.
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script.join('\n')], {
    cwd: root,
    timeout: 60_000,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], WEIR: url, ADMIN_KEY: adminKey },
  })
  assert.match(stdout, /tinychat/)
  // What the page says is answered is answered: the headers of limits, and the refusal of a key with a small one.
  const shown = [
    ...(page.match(/^(x-)?ratelimit.*$/gm) ?? []),
    ...(page.match(/^ {4}"message": "This key may use .*$/gm) ?? []),
  ]
  assert.equal(shown.length, 9)
  for (const line of shown) assert.ok(stdout.includes(line.trim().replace('": "', '":"').replace(/,$/, '')), line)
})

test('every piece of weir.yaml in docs/API.md is a valid configuration', t => {
  const cwd = makeTempDir(t)
  const pieces = blocks.filter(({ language }) => language === 'yaml')
  assert.ok(pieces.length > 0)
  for (const { text } of pieces) {
    writeFileSync(join(cwd, 'weir.yaml'), text)
    const secrets = Object.fromEntries(
      [...text.matchAll(/env: (\w+)/g)].map(([, name = '']) => [name, 'a-secret-0123456789-0123456789-0123456789']),
    )
    try {
      assert.deepEqual(loadConfig({ argv: [], env: secrets, cwd }).warnings, [])
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      assert.deepEqual(error.problems, [], text)
    }
  }
})
