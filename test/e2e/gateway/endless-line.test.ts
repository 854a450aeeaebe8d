import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { endlessLine } from '../../support/behaviours.ts'
import { llamaServer } from '../../support/engines.ts'
import type { Behaviour } from '../../support/exchange.ts'
import { adminKey } from '../../support/gateway.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { ask, chatChunk, errorOf, gatewayBefore, question, readStream } from '../../support/inference.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createDatabase } from '../../support/services.ts'

const mib = 1024 * 1024

/** The resident memory of a process: `VmRSS` now, `VmHWM` at its highest since `forgetPeak`. */
function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
}

const forgetPeak = (pid: number) => writeFileSync(`/proc/${pid}/clear_refs`, '5')

/** A line of 64 MiB after one token, then what a whole stream has. */
const longLine: Behaviour = async exchange => {
  await exchange.stream()
  await exchange.event(chatChunk('The'))
  await exchange.chunk('data: {"choices":[{"index":0,"delta":{"content":"')
  for (let sent = 0; sent < 64 * mib; sent += 65_536) if (!(await exchange.chunk('a'.repeat(65_536)))) return
  await exchange.chunk('"}}]}\n\n')
  await exchange.done()
  await exchange.end()
}

test('S13 a line of 64 MiB without an end is cut off, and costs no memory', async t => {
  const backend = await startScriptedBackend(t, llamaServer())
  const gateway = await startGateway(t, {
    env: {
      WEIR_BACKEND_URL: backend.url,
      WEIR_ADMIN_KEY: adminKey,
      WEIR_KEY_PEPPER: 'test-pepper-0123456789-0123456789-0123',
      DATABASE_URL: await createDatabase(t),
    },
  })
  // What a process needs once, it has then.
  for (let n = 0; n < 200; n += 1) await (await ask(t, gateway, n % 2 === 0 ? question : undefined)).response()
  const beforeBytes = memoryOf(gateway.pid, 'VmRSS')
  forgetPeak(gateway.pid)

  backend.use(llamaServer({ chat: longLine }))
  const seen = await readStream(await ask(t, gateway))
  assert.equal(seen.text, 'The')
  assert.equal(seen.error?.['code'], 'upstream_error')
  const exchange = backend.exchangesTo('/v1/chat/completions').at(-1)
  assert.equal((await exchange?.closed)?.by, 'client')
  assert.ok((exchange?.bytesSent ?? 0) < 16 * mib, `${exchange?.bytesSent} bytes were taken`)
  const grownBytes = memoryOf(gateway.pid, 'VmHWM') - beforeBytes
  t.diagnostic(`resident memory grew by ${(grownBytes / mib).toFixed(1)} MiB at most`)
  assert.ok(grownBytes <= 16 * mib, `${grownBytes} bytes`)
})

test('S13 an endless line instead of the first token, and in an answer of one piece, is a 502', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: endlessLine() }))
  const gateway = await gatewayBefore(t, backend)
  for (const body of [undefined, question]) {
    const answer = await (await ask(t, gateway, body)).response()
    assert.equal(answer.status, 502)
    assert.equal(errorOf(answer)['code'], 'upstream_error')
  }
})
