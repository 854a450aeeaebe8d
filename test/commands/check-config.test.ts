import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkConfig, checkConfigCommand } from '../../src/commands/check-config.ts'
import { flags } from '../../src/config/flags.ts'
import { makeFolder } from '../config/load.ts'

async function run(argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const written = { out: '', err: '' }
  const exitCode = await checkConfig(argv, {
    stdout: { isTTY: true, write: text => (written.out += text) },
    stderr: { isTTY: true, write: text => (written.err += text) },
    env,
  })
  return { exitCode, ...written }
}

const yaml = `server: { maxBody: 4MiB, grace: 90s }
stores: { redisUrl: { env: CACHE_URL } }
backends: { gpu: { url: "http://gpu:8080", apiKey: { env: GPU_KEY }, discover: true, slots: 2 } }
models: { large: { targets: [{ backend: gpu }], fallback: small } }
`
const secrets = {
  CACHE_URL: 'redis://:S3CR3T-one@cache:6379/0',
  GPU_KEY: 'S3CR3T-two',
  WEIR_ADMIN_KEY: 'S3CR3T-three, which is long enough',
  WEIR_KEY_PEPPER: 'S3CR3T-four, which is long enough too',
  DATABASE_URL: 'postgres://weir:S3CR3T-five@db/weir?sslpassword=S3CR3T-six',
}

test('a table of keys, values and where they came from', async t => {
  const path = join(makeFolder(t, { 'weir.yaml': yaml }), 'weir.yaml')
  const { exitCode, out, err } = await run(['--config', path, '--port', '5000'], secrets)
  assert.equal(exitCode, 0)
  assert.equal(err, '')
  const rows = out.split('\n').map(line => line.split(/ {2,}/))
  const row = (key: string) => rows.find(([first]) => first === key)?.slice(1)
  assert.deepEqual(rows[0], ['KEY', 'VALUE', 'FROM'])
  assert.deepEqual(row('server.port'), ['5000', 'flag --port'])
  assert.deepEqual(row('server.host'), ['0.0.0.0', 'default'])
  assert.deepEqual(row('server.maxBody'), ['4MiB', `${path}:1`])
  assert.deepEqual(row('server.grace'), ['90s', `${path}:1`])
  assert.deepEqual(row('stores.databaseUrl'), ['postgres://weir:***@db/weir?***', 'environment DATABASE_URL'])
  assert.deepEqual(row('stores.redisUrl'), ['redis://:***@cache:6379/0', `${path}:2 (environment CACHE_URL)`])
  assert.deepEqual(row('backends.gpu.apiKey'), ['***', `${path}:3 (environment GPU_KEY)`])
  assert.deepEqual(row('webhooks'), ['(none)', 'default'])
  assert.deepEqual(row('server.corsOrigins'), ['(none)', 'default'])
  assert.match(out, /warning: .*fallback names no model of the configuration/)
  assert.match(out, /The configuration is valid\.\n$/)
  assert.doesNotMatch(out, /S3CR3T/)
})

test('--json is one document and nothing else', async t => {
  const path = join(makeFolder(t, { 'weir.yaml': yaml }), 'weir.yaml')
  const { exitCode, out, err } = await run(['--json', '--config', path], secrets)
  assert.equal(exitCode, 0)
  assert.equal(err, '')
  assert.doesNotMatch(out, /S3CR3T/)
  const document = JSON.parse(out)
  assert.deepEqual(Object.keys(document), ['ok', 'config', 'origins', 'warnings', 'errors'])
  assert.equal(document.ok, true)
  assert.equal(document.config.server.maxBodyBytes, 4_194_304)
  assert.equal(document.config.auth.adminKey, '***')
  assert.equal(document.config.backends.gpu.timeouts.connectMs, 2000)
  assert.equal(document.origins['auth.adminKey'], 'environment WEIR_ADMIN_KEY')
  assert.equal(document.warnings.length, 1)
  assert.deepEqual(document.errors, [])
})

test('what is wrong goes to stderr, and the exit code is 1', async t => {
  const path = join(makeFolder(t, { 'weir.yaml': 'server: { prot: 1, grace: 5 }' }), 'weir.yaml')
  const { exitCode, out, err } = await run(['--config', path])
  assert.equal(exitCode, 1)
  assert.equal(out, '')
  assert.match(err, /weir\.yaml:1:11 server\.prot: There is no such key\.\n {2}Did you mean "port"\?\n/)
  assert.match(err, /The configuration has 2 problems\.\n$/)
})

test('--json has what is wrong, field by field', async t => {
  const path = join(makeFolder(t, { 'weir.yaml': '\nlog: { level: loud }' }), 'weir.yaml')
  const { exitCode, out, err } = await run(['--config', path, '--json'])
  assert.equal(exitCode, 1)
  assert.equal(err, '')
  const document = JSON.parse(out)
  assert.equal(document.ok, false)
  assert.equal(document.config, null)
  const [first, ...others] = document.errors
  assert.deepEqual(others, [])
  assert.deepEqual(
    { ...first, fix: '' },
    {
      where: `${path}:2:15`,
      file: path,
      line: 2,
      column: 15,
      key: 'log.level',
      problem: '"loud" is not one of the choices.',
      fix: '',
    },
  )
})

test('an unknown flag is a problem like any other', async () => {
  const { exitCode, err } = await run(['--jsno'])
  assert.equal(exitCode, 1)
  assert.match(err, /^flag --jsno: There is no such flag\./)
})

test('--help shows every flag and checks nothing', async () => {
  for (const argv of [['--help'], ['-h'], ['--port', 'many', '--help']]) {
    const { exitCode, out, err } = await run(argv)
    assert.deepEqual([exitCode, err], [0, ''])
    assert.match(out, /^Usage: weir check-config /)
    for (const { name, value, summary } of flags) assert.ok(out.includes(`--${name} ${value}`) && out.includes(summary))
    assert.match(out, /\n {2}--json {2,}/)
    assert.ok(out.split('\n').every(line => line.length <= 100 && !line.endsWith(' ')))
  }
})

test('it is a command for the list of commands', () => {
  assert.equal(checkConfigCommand.name, 'check-config')
  assert.equal(checkConfigCommand.run, checkConfig)
})
