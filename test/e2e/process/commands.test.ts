import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startGateway } from '../../support/gateway-process.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, sdk, statusWith } from './calls.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** As in a shell of whoever uses it: the Node in node_modules is not on the PATH, npm runs on the machine's own. */
const plainPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter(folder => !folder.includes('node_modules'))
  .join(delimiter)

const maxCommandMs = 60_000

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `npx weir …` in the repository's folder. There is no registry: what npx would fetch fails. */
function makeNpx(t: TestContext, dataDir: string) {
  const home = makeTempDir(t)
  const env = { PATH: plainPath, HOME: home, npm_config_registry: 'http://127.0.0.1:9', WEIR_DATA_DIR: dataDir }
  const npx = (...argv: readonly string[]) =>
    new Promise<Outcome>(resolve => {
      execFile(
        'npx',
        ['weir', ...argv],
        { cwd: root, env, encoding: 'utf8', timeout: maxCommandMs },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
        },
      )
    })
  return { npx, home }
}

test('npx weir runs from the folder, fetches nothing, and stdout is the command’s alone', async t => {
  const { npx, home } = makeNpx(t, makeTempDir(t))

  const json = await npx('check-config', '--json')
  assert.deepEqual([json.code, json.stderr], [0, ''])
  assert.equal(JSON.parse(json.stdout).ok, true)
  const wrong = await npx('check-config', '--json', '--port', 'many')
  assert.deepEqual([wrong.code, wrong.stderr], [1, ''])
  assert.equal(JSON.parse(wrong.stdout).errors[0].where, 'flag --port')
  const table = await npx('check-config')
  assert.match(table.stdout, /^KEY +VALUE +FROM\n/)

  const help = await npx('help')
  assert.deepEqual([help.code, help.stderr], [0, ''])
  assert.match(help.stdout, /^Usage: weir <command>.*check-config.*keys.*start/s)
  for (const command of ['check-config', 'start']) {
    const options = await npx(command, '--help')
    assert.deepEqual([options.code, options.stderr], [0, ''])
    assert.match(options.stdout, new RegExp(`^Usage: weir ${command} .*--port PORT .*--internal-host ADDRESS `, 's'))
  }
  const unknown = await npx('frobnicate')
  assert.deepEqual([unknown.code, unknown.stdout], [2, ''])
  assert.match(unknown.stderr, /^weir: there is no command 'frobnicate'\nUsage: /)

  assert.equal(existsSync(join(home, '.npm', '_cacache', 'content-v2')), false, 'nothing was downloaded')
})

test('npx weir keys: without a server it makes the database, beside one it asks it; keys work and stop working at once', async t => {
  const folder = makeTempDir(t)
  const { npx } = makeNpx(t, join(folder, '.weir'))

  const before = await npx('keys', 'create', '--account', 'acme', '--tier', 'free')
  assert.equal(before.code, 0, before.stderr)
  assert.match(before.stdout, /^sk-weir-\w{16}-\w{54}\n$/)
  const key = before.stdout.trim()

  const gateway = await startGateway(t, { folder, env: { WEIR_ADMIN_KEY: adminKey } })
  // While it starts it holds the database and takes no commands yet: the command waits for it.
  const beside = await npx('keys', 'create', '--account', 'acme', '--tier', 'free', '--json')
  assert.equal(beside.code, 0, beside.stderr)
  const { key: other, id } = JSON.parse(beside.stdout)
  assert.deepEqual([await statusWith(gateway.url, key), await statusWith(gateway.url, other)], [200, 200])
  const messages = [{ role: 'user' as const, content: 'hi' }]
  const { choices } = await sdk(gateway.url, other).chat.completions.create({ model: 'weir-demo', messages })
  assert.equal(choices.length, 1)

  const list = await npx('keys', 'list', '--json')
  assert.deepEqual(
    JSON.parse(list.stdout).data.map((row: { account: { name: string } }) => row.account.name),
    ['acme', 'acme'],
  )
  assert.equal((await npx('keys', 'revoke', id)).code, 0)
  assert.deepEqual([await statusWith(gateway.url, key), await statusWith(gateway.url, other)], [200, 401])
  const nobody = await npx('keys', 'revoke', '0'.repeat(16))
  assert.deepEqual([nobody.code, nobody.stdout], [1, ''])
  assert.match(nobody.stderr, /^weir keys: There is no key with the id 0{16}\.\n$/)
  gateway.kill()
  assert.equal((await gateway.exit).code, 0)
  assert.deepEqual(gateway.stderr, [])
})

test('whoever stops reading, as `| head` does, is no reason for a stack', async () => {
  const script = `"${process.execPath}" scripts/weir.js check-config | head -c 0; echo "\${PIPESTATUS[0]}"`
  const { stdout, stderr } = await new Promise<Outcome>(resolve => {
    execFile('bash', ['-c', script], { cwd: root, encoding: 'utf8', timeout: maxCommandMs }, (_error, stdout, stderr) =>
      resolve({ code: 0, stdout, stderr }),
    )
  })
  assert.deepEqual([stdout.trim(), stderr], ['0', ''])
})
