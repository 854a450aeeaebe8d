import { deepStrictEqual } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { root } from '../architecture/source-file.ts'
import { adminKey, pepper } from '../e2e/process/calls.ts'
import { onEnd } from '../support/cleanup.ts'
import { makeTempDir } from '../support/temp-dir.ts'

/** To itself it is the first process of a container; its kernel would take a signal away that nobody waits for. */
const asFirst = 'data:text/javascript,Object.defineProperty(process,"pid",{value:1})'

/** `weir …` with a database that is down. */
function start(t: TestContext, command: string) {
  const env = {
    ...{ PATH: process.env['PATH'], NODE_ENV: 'production', PORT: '0', WEIR_DATA_DIR: makeTempDir(t) },
    ...{ DATABASE_URL: 'postgres://weir@127.0.0.1:9/weir', WEIR_BACKEND_URL: 'http://127.0.0.1:9' },
    ...{ WEIR_ADMIN_KEY: adminKey, WEIR_KEY_PEPPER: pepper },
  }
  const child = spawn(process.execPath, ['--import', asFirst, join(root, 'scripts/weir.js'), command], { env })
  onEnd(t, () => child.kill('SIGKILL'))
  return child
}

async function untilSaid(output: Readable, text: string): Promise<void> {
  for await (const line of createInterface({ input: output })) if (line.includes(text)) return
  throw new Error(`it ended and did not say ${text}`)
}

test('G04 a command that is the first process of its container ends by SIGTERM and SIGINT', async t => {
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    const child = start(t, 'migrate')
    await untilSaid(child.stderr, 'the database is down')
    child.kill(signal)
    deepStrictEqual(await once(child, 'exit'), [code, null])
  }
})

test('G04 a server that is the first process of its container stops well by SIGTERM', async t => {
  const child = start(t, 'start')
  await untilSaid(child.stdout, '"listening"')
  child.kill('SIGTERM')
  deepStrictEqual(await once(child, 'exit'), [0, null])
})
