import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { eventually } from './eventually.ts'
import { runGateway, startGateway } from './gateway-process.ts'

/** A program that keeps the gateway's log contract. */
async function writeProgram(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-test-program-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const program = join(folder, 'program.mjs')
  await writeFile(
    program,
    `import { createServer } from 'node:http'
    if (process.argv.includes('--refuse')) { console.error('refusing: no key'); process.exit(2) }
    process.on('SIGTERM', () => { console.log('{"msg":"bye"}'); process.exit(0) })
    const server = createServer((_, reply) => reply.end(process.env.GREETING)).listen(Number(process.env.PORT), '127.0.0.1', () => {
      console.log('not json')
      console.log(JSON.stringify({ msg: 'listening', url: 'http://127.0.0.1:' + server.address().port, internalUrl: process.env.INTERNAL_PORT && 'http://127.0.0.1:1' }))
    })
    `,
  )
  return program
}

test('a gateway is started with its environment, found by its log, and ends by signal', async t => {
  const program = await writeProgram(t)
  const gateway = await startGateway(t, { program, env: { GREETING: 'hello', INTERNAL_PORT: '0' } })
  assert.equal(await (await fetch(gateway.url)).text(), 'hello')
  assert.equal(gateway.internalUrl, 'http://127.0.0.1:1')
  assert.equal(existsSync(gateway.folder), true)
  gateway.kill('SIGTERM')
  assert.deepEqual(await gateway.exit, { code: 0, signal: null })
  assert.deepEqual(
    gateway.logs().map(log => log['msg']),
    ['listening', 'bye'],
  )
})

test('a gateway left running is killed with its test, and its folder goes', async t => {
  const program = await writeProgram(t)
  const left = { pid: 0, folder: '' }
  await t.test('inner', async inner => {
    Object.assign(left, await startGateway(inner, { program }))
  })
  assert.throws(() => process.kill(left.pid, 0), { code: 'ESRCH' })
  assert.equal(existsSync(left.folder), false)
})

test('a gateway that refuses to start says why', async t => {
  const program = await writeProgram(t)
  await assert.rejects(startGateway(t, { program, flags: ['--refuse'] }), /refusing: no key/)
  const { code, output } = await runGateway(t, { program, flags: ['--refuse'] })
  assert.deepEqual([code, output], [2, 'refusing: no key'])
})

test('eventually gives what the condition gave, or says what it saw last', async () => {
  let asked = 0
  assert.equal(await eventually('the third time', () => ++asked === 3 && 'third'), 'third')
  const never = eventually('two is three', () => assert.equal(2, 3), { withinMs: 30 })
  await assert.rejects(never, /not within 30 ms: two is three; last seen: an error: AssertionError/)
})
