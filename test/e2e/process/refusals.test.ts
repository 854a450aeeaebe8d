import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { boundedFetch } from '../../support/bounded-fetch.ts'
import { onEnd } from '../../support/cleanup.ts'
import { type GatewayOptions, runGateway, startGateway } from '../../support/gateway-process.ts'
import { happens } from '../../support/inbox.ts'
import { createDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, health, pepper, shownKey, statusWith, untilReady } from './calls.ts'

/** With a database of its own nothing embedded has to start. */
async function storesOf(t: TestContext) {
  return { DATABASE_URL: await createDatabase(t), WEIR_KEY_PEPPER: pepper, WEIR_BACKEND_URL: 'http://127.0.0.1:9' }
}

/** What it says on stderr when it refuses; the log's own lines are left out. */
async function refusal(t: TestContext, options: GatewayOptions): Promise<string> {
  const { code, output } = await runGateway(t, options)
  assert.equal(code, 1, output)
  assert.doesNotMatch(output, /\n\s+at |ReferenceError/, 'no stack')
  return output
    .split('\n')
    .filter(line => !line.startsWith('{'))
    .join('\n')
}

async function takePort(t: TestContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await happens(server, 'listening')
  onEnd(t, () => server.close())
  return (server.address() as AddressInfo).port
}

test('a mistake in weir.yaml is named by file, line and key, with the fix, and all are named at once', async t => {
  const folder = makeTempDir(t)
  writeFileSync(join(folder, 'weir.yaml'), 'server:\n  prot: 4000\n  grace: 3 lightyears\n')
  const output = await refusal(t, { folder })
  assert.match(output, /^weir\.yaml:2:3 server\.prot: There is no such key\.\n {2}Did you mean "port"\?\n/)
  assert.match(output, /\nweir\.yaml:3:\d+ server\.grace: /)
})

test('K10 secrets that are short or missing, a missing model file and a wrong flag are refused in words', async t => {
  const cases: [GatewayOptions, RegExp][] = [
    [{ env: { WEIR_ADMIN_KEY: 'short' } }, /^environment WEIR_ADMIN_KEY auth\.adminKey: .* at least 32 .*\n/],
    [{ env: { WEIR_KEY_PEPPER: 'short' } }, /^environment WEIR_KEY_PEPPER auth\.keyPepper: /],
    [{ env: { DATABASE_URL: 'postgres://a@127.0.0.1:1/b' } }, /auth\.keyPepper: .*\n.*Set WEIR_KEY_PEPPER/],
    [{ flags: ['--model', 'missing.gguf'] }, /^flag --model engine\.model: There is no such file\./],
    [{ flags: ['--prot', '1'] }, /^flag --prot: There is no such flag\.\n {2}Did you mean --port\?/],
    [
      { env: { WEIR_DATA_DIR: '/proc/weir' } },
      /^environment WEIR_DATA_DIR stores\.dataDir: \/proc\/weir .*\n.*by WEIR_DATA_DIR/,
    ],
  ]
  const outputs = await Promise.all(cases.map(([options]) => refusal(t, options)))
  for (const [at, [, pattern]] of cases.entries()) assert.match(outputs[at] ?? '', pattern)
})

test('a data folder whose ledger is none is refused in one line, and nothing of it is changed', async t => {
  const env = await storesOf(t)
  const places: [(ledger: string) => void, RegExp][] = [
    [
      ledger => writeFileSync(ledger, ''),
      /^weir: There is no ledger in \S+ledger: it is a file, not a folder\. .*WEIR_DATA_DIR/,
    ],
    [
      ledger => {
        mkdirSync(ledger)
        writeFileSync(join(ledger, 'accounts.xls'), '')
        chmodSync(ledger, 0o755)
      },
      /^weir: \S+ledger is not a ledger: it has "accounts\.xls" in it\. .*WEIR_DATA_DIR/,
    ],
    [
      ledger => mkdirSync(join(ledger, 'segment-0000000001.log'), { recursive: true }),
      /^weir: The ledger in \S+ledger is broken: \S+segment-0000000001\.log is a folder, not a file\. Move it away/,
    ],
  ]
  for (const [make, pattern] of places) {
    const dataDir = makeTempDir(t)
    const ledger = join(dataDir, 'ledger')
    make(ledger)
    const { mode } = statSync(ledger)
    const output = await refusal(t, { env: { ...env, WEIR_DATA_DIR: dataDir } })
    assert.match(output, pattern)
    assert.equal(output.split('\n').length, 1)
    assert.deepEqual([statSync(ledger).mode, readdirSync(dataDir)], [mode, ['ledger']])
  }
})

test('what cannot be listened on is said with the address and what to change', async t => {
  const env = await storesOf(t)
  const port = String(await takePort(t))
  const taken = new RegExp(`^weir: Another program listens on 127\\.0\\.0\\.1:${port} already\\. .*PORT`)
  const notOurs = /^weir: 203\.0\.113\.5 cannot be listened on: this machine does not have that address\. .*HOST/
  const noName = /^weir: There is no address for the name "nowhere\.invalid" to listen on\. .*HOST/
  const cases: [Record<string, string>, RegExp][] = [
    [{ PORT: port }, taken],
    [{ INTERNAL_PORT: port }, taken],
    [{ HOST: '203.0.113.5', WEIR_ADMIN_KEY: adminKey }, notOurs],
    [{ HOST: 'nowhere.invalid', WEIR_ADMIN_KEY: adminKey }, noName],
  ]
  const outputs = await Promise.all(cases.map(([change]) => refusal(t, { env: { ...env, ...change } })))
  for (const [at, [, pattern]] of cases.entries()) {
    assert.match(outputs[at] ?? '', pattern)
    assert.equal(outputs[at]?.split('\n').length, 1)
  }
})

test('off loopback it does not start without any key, and says how to make one; with a key in the database it does', async t => {
  const env = await storesOf(t)
  const output = await refusal(t, { env: { ...env, HOST: '0.0.0.0' } })
  assert.match(output, /^weir: There is no API key yet.*WEIR_ADMIN_KEY.*npx weir keys create/)

  const private_ = await startGateway(t, { env })
  const key = await shownKey(private_)
  private_.kill()
  await private_.exit

  const open = await startGateway(t, { env: { ...env, HOST: '0.0.0.0' } })
  const url = `http://127.0.0.1:${new URL(open.url).port}`
  await untilReady(url)
  assert.equal(await statusWith(url, key), 200)
  assert.deepEqual(open.stderr, [])
})

test('a file that is no model does not keep it from starting: it says so, in the log, in health and in answers', async t => {
  const folder = makeTempDir(t)
  writeFileSync(join(folder, 'junk.gguf'), 'hello')
  const { DATABASE_URL, WEIR_KEY_PEPPER } = await storesOf(t)
  const gateway = await startGateway(t, {
    folder,
    flags: ['--model', 'junk.gguf'],
    env: { DATABASE_URL, WEIR_KEY_PEPPER, WEIR_ADMIN_KEY: adminKey },
  })
  await untilReady(gateway.url)
  assert.deepEqual(await health(gateway.url, '/health'), { code: 200, status: 'degraded' })
  const reply = await boundedFetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'hi' }] }),
  })
  assert.equal(reply.status, 503)
  // Where the file is, is for whoever reads the log.
  const text = await reply.text()
  assert.match(text, /Model 'junk' could not be loaded: see the server's log/)
  assert.doesNotMatch(text, /gguf/)
  const said = gateway.logs().find(log => log['msg'] === 'the embedded engine cannot run')
  assert.match(String(said?.['reason']), /junk\.gguf is not a GGUF file/)
  assert.ok(!gateway.logs().some(log => log['msg'] === 'backend up'))
})
