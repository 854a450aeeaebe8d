import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { makeTempDir } from '../../support/temp-dir.ts'

const script = fileURLToPath(new URL('../../../scripts/install.js', import.meta.url))
const maxCommandMs = 60_000
const announcement = 'weir: installing dependencies (npm ci), once …\n'

const kinds = { dependencies: 'needed', devDependencies: 'tool', optionalDependencies: 'extra' }

/** A project with a dependency of each kind, packed beside it: npm installs them as ever, without a registry. */
function makeProject(t: TestContext) {
  const root = makeTempDir(t)
  mkdirSync(join(root, 'scripts'))
  cpSync(script, join(root, 'scripts/install.js'))
  const env = { PATH: process.env['PATH'], HOME: root, npm_config_registry: 'http://127.0.0.1:9' }
  const npm = (...argv: string[]) =>
    execFileSync('npm', argv, { cwd: root, env, stdio: ['ignore', 'ignore', 'inherit'], timeout: maxCommandMs })
  /** Makes all three in this version, and manifest and lockfile that want them. */
  const release = (version: string) => {
    const names = Object.values(kinds)
    for (const name of names) {
      mkdirSync(join(root, name), { recursive: true })
      writeFileSync(join(root, name, 'package.json'), JSON.stringify({ name, version }))
    }
    npm('pack', '--loglevel=error', ...names.map(name => `./${name}`))
    const wanted = Object.entries(kinds).map(([kind, name]) => [kind, { [name]: `file:${name}-${version}.tgz` }])
    const manifest = { name: 'project', version, type: 'module', ...Object.fromEntries(wanted) }
    writeFileSync(join(root, 'package.json'), JSON.stringify(manifest))
    npm('install', '--package-lock-only')
  }
  release('1.0.0')
  const install = (before: string, more: Record<string, string> = {}) =>
    new Promise<{ code: number; stdout: string; stderr: string }>(resolve => {
      const options = {
        cwd: root,
        env: { ...env, npm_lifecycle_event: before, ...more },
        encoding: 'utf8' as const,
        timeout: maxCommandMs,
      }
      execFile(process.execPath, ['scripts/install.js'], options, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      )
    })
  const has = (name: string) => existsSync(join(root, 'node_modules', name))
  return { root, npm, release, install, has }
}

const silent = { code: 0, stdout: '', stderr: '' }

test('on a bare clone it installs and says so in one line; then it does nothing, until the lockfile changes', async t => {
  const { root, release, install, has } = makeProject(t)
  assert.deepEqual(await install('prestart'), { code: 0, stdout: '', stderr: announcement })
  assert.deepEqual(['needed', 'tool', 'extra'].map(has), [true, true, true])
  const sinceMs = performance.now()
  assert.deepEqual(await install('prestart'), silent)
  t.diagnostic(`nothing to do takes ${Math.round(performance.now() - sinceMs)} ms`)
  assert.deepEqual(await install('pretest'), silent)

  // As after a pull: making a lockfile, npm also notes what it wants as if that were installed.
  const noteFile = join(root, 'node_modules/.package-lock.json')
  const note = readFileSync(noteFile)
  release('1.0.1')
  writeFileSync(noteFile, note)
  assert.equal((await install('prestart')).stderr, announcement)
})

test('an installation made by hand, with or without what is optional, is recognised and left alone', async t => {
  const { npm, install, has } = makeProject(t)
  npm('ci')
  assert.deepEqual(await install('pretest'), silent)
  npm('ci', '--omit=dev', '--omit=optional')
  assert.deepEqual(['needed', 'tool', 'extra'].map(has), [true, false, false])
  assert.deepEqual(await install('prestart'), silent, 'the server needs no more')
  assert.equal((await install('pretest')).stderr, announcement, 'the tests do')
  assert.equal(has('tool'), true)
})

test('what an image omits stays omitted when it installs itself, and is not missed afterwards', async t => {
  const { install, has } = makeProject(t)
  const omit = { NPM_CONFIG_OMIT: 'dev' }
  assert.equal((await install('prestart', omit)).stderr, announcement)
  assert.deepEqual(['needed', 'tool', 'extra'].map(has), [true, false, true])
  assert.deepEqual(await install('prestart', omit), silent)
})

test('a failing npm ci gives its reason', async t => {
  const { root, install } = makeProject(t)
  rmSync(join(root, 'package-lock.json'))
  const { code, stdout, stderr } = await install('prestart')
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /package-lock\.json/)
  assert.match(stderr, /\nweir: npm ci failed, for the reason above\n$/)
})
