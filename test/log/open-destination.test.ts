import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { onEnd } from '../support/cleanup.ts'
import { within } from '../support/inbox.ts'

const source = new URL('../../src/log/', import.meta.url)

/** Logs as the server does, says so on standard error between two steps, and ends by itself. */
const program = (steps: string) => `
  import { setTimeout as delay } from 'node:timers/promises'
  import { buildLog } from '${new URL('build-log.ts', source)}'
  import { openDestination } from '${new URL('open-destination.ts', source)}'
  const onLost = lost => log.error({ lost }, 'lost')
  const { stream, flush } = await openDestination({ isProduction: true, onLost })
  const log = buildLog({ level: 'info', destination: stream })
  const say = text => process.stderr.write(text + '\\n')
  const lines = count => { for (let i = 0; i < count; i += 1) log.info({ target: 'x'.repeat(1000) }, 'request') }
  const asked = () => new Promise(resolve => process.once('SIGUSR2', resolve))
  ${steps}
`

function run(t: TestContext, steps: string, stdout: number | 'pipe') {
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', program(steps)], {
    stdio: ['ignore', stdout, 'pipe'],
  })
  const closed = new Promise<number | null>(resolve => child.once('exit', resolve))
  onEnd(t, async () => {
    child.kill('SIGKILL')
    await closed
  })
  let said = ''
  const waiters = new Set<() => void>()
  child.stderr?.setEncoding('utf8').on('data', text => {
    said += text
    for (const wake of waiters) wake()
  })
  const ended = async () => await within(closed, 20_000, () => `it does not end; it said: ${said}`)
  const hasSaid = async (text: string) => {
    const heard = new Promise<void>(resolve => {
      const wake = () => said.includes(text) && resolve()
      waiters.add(wake)
      wake()
    })
    await within(heard, 20_000, () => `it did not say ${text}, but: ${said}`)
  }
  return { child, ended, hasSaid }
}

test('a log that cannot be written ends nothing, and does not keep the process from its end', async t => {
  // Each write fails, as on a disk that is full.
  const unwritable = openSync('/dev/null', 'r')
  const { ended, hasSaid } = run(t, `lines(20); await delay(600); lines(20); say('alive')`, unwritable)
  closeSync(unwritable)
  await hasSaid('alive')
  assert.equal(await ended(), 0)
})

test('a log that nobody reads takes no more than its bound, and what was lost is counted when somebody reads again', async t => {
  const steps = `
    const keep = setInterval(() => undefined, 1000)
    const before = process.memoryUsage().rss
    for (let i = 0; i < 200; i += 1) { lines(200); await delay(1) }
    say('grown ' + (process.memoryUsage().rss - before < 100e6))
    await asked()
    say('asked')
    await asked()
    lines(1)
    clearInterval(keep)`
  const { child, ended, hasSaid } = run(t, steps, 'pipe')
  await hasSaid('grown true')
  let text = ''
  const read = Promise.withResolvers<void>()
  child.stdout?.setEncoding('utf8').on('data', part => {
    text += part
    if (text.includes('"msg":"lost"')) read.resolve()
  })
  child.kill('SIGUSR2')
  await hasSaid('asked')
  await within(read.promise, 20_000, () => `nothing was said to be lost in ${text.length} characters`)
  child.kill('SIGUSR2')
  assert.equal(await ended(), 0)
  const records = text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as { msg: string; lost?: number })
  const written = records.filter(({ msg }) => msg === 'request').length
  const lost = records.reduce((sum, record) => sum + (record.lost ?? 0), 0)
  assert.ok(lost > 10_000, `${lost}`)
  assert.ok(written + lost >= 40_000 && written + lost <= 40_001, `${written} and ${lost}`)
})

test('a log that nobody reads does not keep the process from its end', async t => {
  const { ended, hasSaid } = run(t, `lines(1000); say('done'); process.exit(0)`, 'pipe')
  await hasSaid('done')
  assert.equal(await ended(), 0)
})
