import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connectControl } from '../../../src/control/client.ts'
import { eventually } from '../../support/eventually.ts'
import { type GatewayProcess, runGateway, startGateway } from '../../support/gateway-process.ts'
import { processTree } from '../../support/process-tree.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { isAlive, sdk, shownKey, statusWith, untilReady } from './calls.ts'
import { filesWith, formsOf } from './secrets.ts'

const prompt = 'zebra 7431 says: tell nobody, "crocodile" % of all/any'

async function start(t: TestContext, folder: string) {
  const sinceMs = performance.now()
  const gateway = await startGateway(t, { folder, env: { NODE_DISABLE_COMPILE_CACHE: '1' } })
  return { gateway, listeningMs: Math.round(performance.now() - sinceMs) }
}

/** Everything on stdout is JSON, also when it is asked line by line. */
function assertOnlyJson({ stdout, logs }: GatewayProcess): void {
  assert.deepEqual(
    logs().map(log => JSON.stringify(log)),
    stdout,
  )
}

function residentMb(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)
}

test('everything embedded: from the first start over kill -9 in the middle of a stream to the next', async t => {
  const folder = makeTempDir(t)
  let key = ''
  let answer = ''
  const { gateway: first, listeningMs } = await start(t, folder)

  await t.test('the key of the first start is shown once, on stderr, and the official SDK works with it', async () => {
    key = await shownKey(first)
    await untilReady(first.url)
    const stream = await sdk(first.url, key).chat.completions.create({
      model: 'weir-demo',
      messages: [{ role: 'user', content: prompt }],
      max_tokens: 60,
      stream: true,
    })
    for await (const chunk of stream) answer += chunk.choices[0]?.delta.content ?? ''
    assert.ok(answer.length > 0)
    const shown = first.stderr.filter(line => line.includes(key))
    assert.deepEqual([shown.length, first.stderr.length], [2, 2], 'once as it is and once in a line to copy')
    assertOnlyJson(first)
    // What comes with Weir is free, which is other than that nobody has said what it costs.
    const asked = { model: 'weir-demo', messages: [{ role: 'user' as const, content: 'Hi' }], max_tokens: 5 }
    const { response } = await sdk(first.url, key).chat.completions.create(asked).withResponse()
    assert.equal(response.headers.get('x-weir-cost'), '0')
    assert.ok(!first.logs().some(({ msg }) => /without a price/.test(String(msg))))
    t.diagnostic(`listening after ${listeningMs} ms, resident ${residentMb(first.pid)} MB`)
  })

  await t.test('its files are for its owner alone', () => {
    const modeOf = (name: string) => (statSync(join(folder, '.weir', name)).mode & 0o777).toString(8)
    assert.deepEqual(['', 'control.sock', 'pepper', 'lock.db'].map(modeOf), ['700', '600', '600', '600'])
  })

  await t.test('a second gateway on the same folder refuses, and says what to do', async t => {
    const { code, output } = await runGateway(t, { folder })
    assert.equal(code, 1)
    assert.match(output, /^weir: .*\.weir is in use by another Weir\. .*WEIR_DATA_DIR.*DATABASE_URL/)
    assert.equal(output.split('\n').length, 1)
    assert.equal(await statusWith(first.url, key), 200)
  })

  const children = processTree(first.pid).slice(1)
  assert.equal(children.length, 1, 'the engine')

  await t.test('kill -9 in the middle of a stream takes the engine with it', async () => {
    const stream = await sdk(first.url, key).completions.create({
      model: 'weir-demo',
      prompt: 'a',
      max_tokens: 1900,
      stream: true,
    })
    const chunks = stream[Symbol.asyncIterator]()
    assert.equal((await chunks.next()).done, false)
    first.kill('SIGKILL')
    const readToTheEnd = async () => {
      while (!(await chunks.next()).done);
    }
    await assert.rejects(readToTheEnd())
    await first.exit
    await eventually('the engine is gone', () => !children.some(isAlive))
  })

  await t.test('the next start takes the folder over, shows no key, and the old one works', async t => {
    const { gateway: second, listeningMs } = await start(t, folder)
    await untilReady(second.url)
    t.diagnostic(`listening after ${listeningMs} ms`)
    assert.equal(await statusWith(second.url, key), 200)
    const control = await connectControl(join(folder, '.weir'))
    assert.ok(control, 'the socket that the killed one left was replaced')
    control.close()
    second.kill()
    assert.deepEqual(await second.exit, { code: 0, signal: null })
    assert.deepEqual(second.stderr, [])
    assertOnlyJson(second)
    assert.throws(() => statSync(join(folder, '.weir', 'control.sock')), { code: 'ENOENT' })
    writeFileSync(join(folder, 'stdout'), [...first.stdout, ...second.stdout].join('\n'))
  })

  await t.test('neither key nor prompt nor answer is in a log line or a file', () => {
    const secret = key.slice(-54)
    assert.deepEqual(filesWith(folder, formsOf(secret)), [])
    assert.deepEqual(filesWith(folder, formsOf(prompt)), [])
    assert.deepEqual(filesWith(folder, formsOf(answer)), [])
    // The search would have found them: the public part of the key is in the log and in the database.
    const publicId = key.slice('sk-weir-'.length, -55)
    assert.ok(filesWith(folder, [publicId]).some(path => path.includes('/db/')))
    assert.ok(filesWith(folder, [publicId]).some(path => path.endsWith('/stdout')))
  })
})
