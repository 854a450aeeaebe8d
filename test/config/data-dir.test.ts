import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ensureDataDir } from '../../src/config/data-dir.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { makeFolder } from './load.ts'

const modeOf = (path: string) => statSync(path).mode & 0o7777
const fault = (words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ConfigError)
  assert.equal(error.problems[0]?.key, 'stores.dataDir')
  assert.match(error.problems[0]?.problem ?? '', words)
  assert.match(error.problems[0]?.fix ?? '', /--data-dir/)
  return true
}

test('the folder is made, for its owner only', t => {
  const path = join(makeFolder(t), 'a/b')
  ensureDataDir(path)
  assert.equal(modeOf(path), 0o700)
})

test('a folder of ours that is open to others is closed', t => {
  const path = join(makeFolder(t), 'open')
  mkdirSync(path)
  chmodSync(path, 0o755)
  ensureDataDir(path)
  assert.equal(modeOf(path), 0o700)
  ensureDataDir(path)
})

test('a file in its place', t => {
  const folder = makeFolder(t)
  writeFileSync(join(folder, 'file'), '')
  assert.throws(() => ensureDataDir(join(folder, 'file')), fault(/not a folder/))
  assert.throws(() => ensureDataDir(join(folder, 'file/below')), fault(/not a folder/))
})

test('the error names where the folder was named, and how to change it there', t => {
  const path = join(makeFolder(t, {}), 'file')
  writeFileSync(path, '')
  for (const [origin, fix] of [
    ['flag --data-dir', /to, by --data-dir\.$/],
    ['environment WEIR_DATA_DIR', /by WEIR_DATA_DIR or --data-dir\.$/],
    ['weir.yaml:3', /by stores\.dataDir there/],
    ['default', /by --data-dir or WEIR_DATA_DIR\.$/],
  ] as const) {
    const check = (error: unknown) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.problems[0]?.where, origin)
      assert.match(error.problems[0]?.fix ?? '', fix)
      assert.ok(error.message.startsWith(`${origin} stores.dataDir: ${path} is not a folder.`))
      return true
    }
    assert.throws(() => ensureDataDir(path, origin), check)
  }
})

test('a folder that belongs to everybody is left as it is', t => {
  const path = join(makeFolder(t), 'shared')
  mkdirSync(path)
  chmodSync(path, 0o1777)
  assert.throws(() => ensureDataDir(path), fault(/for everybody/))
  assert.equal(modeOf(path), 0o1777)
  assert.throws(() => ensureDataDir('/'), fault(/for everybody/))
})

test('a folder that cannot be written to', t => {
  // The system's own tables of processes let nobody make folders, not even root.
  assert.throws(() => ensureDataDir('/proc/weir'), fault(/\/proc\/weir/))
  if (process.getuid?.() === 0) return
  const folder = makeFolder(t)
  chmodSync(folder, 0o500)
  assert.throws(() => ensureDataDir(join(folder, 'below')), fault(/not writable/))
  chmodSync(folder, 0o700)
})
