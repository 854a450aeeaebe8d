import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeApiKey, parseApiKey } from '../../src/domain/api-key.ts'
import { loadPeppers } from '../../src/embedded/pepper.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const auth = { keyCacheTtlMs: 30_000, tokenTtlMs: 900_000, issuers: {}, previousKeyPeppers: [] }

test('the embedded pepper is made once, kept for its owner alone, and can be moved to WEIR_KEY_PEPPER', t => {
  const dataDir = join(makeTempDir(t), 'data')
  const { key } = makeApiKey(loadPeppers({ stores: { dataDir }, auth }))
  const file = join(dataDir, 'pepper')
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.equal(statSync(dataDir).mode & 0o777, 0o700)
  assert.ok(parseApiKey(loadPeppers({ stores: { dataDir }, auth }), key))
  const keyPepper = readFileSync(file, 'utf8').trim()
  const databaseUrl = 'postgres://db/weir'
  assert.ok(parseApiKey(loadPeppers({ stores: { dataDir, databaseUrl }, auth: { ...auth, keyPepper } }), key))
})

test('K10: with a database of its own a pepper has to be given, and not a short one', t => {
  const dataDir = join(makeTempDir(t), 'data')
  const stores = { dataDir, databaseUrl: 'postgres://db/weir' }
  assert.throws(() => loadPeppers({ stores, auth }), /WEIR_KEY_PEPPER is needed with DATABASE_URL/)
  assert.throws(() => loadPeppers({ stores, auth: { ...auth, keyPepper: 'x'.repeat(31) } }), /at least 32/)
  assert.equal(existsSync(dataDir), false)
})

test('a pepper file that has been emptied is an error, not a new pepper', t => {
  const dataDir = makeTempDir(t)
  writeFileSync(join(dataDir, 'pepper'), '\n')
  assert.throws(() => loadPeppers({ stores: { dataDir }, auth }), /does not hold a pepper/)
})

test('keys of former peppers go on working, and the oldest can be taken away without numbering the others anew', t => {
  const stores = { dataDir: makeTempDir(t), databaseUrl: 'postgres://db/weir' }
  const texts = ['first', 'second', 'third'].map(name => `the ${name} pepper, which is long enough for this`)
  const [first = '', second = '', third = ''] = texts
  const load = (keyPepper: string, previousKeyPeppers: string[], keyPepperVersion?: number) =>
    loadPeppers({
      stores,
      auth: { ...auth, keyPepper, previousKeyPeppers, ...(keyPepperVersion && { keyPepperVersion }) },
    })
  const keys = [load(first, []), load(second, [first]), load(third, [first, second])].map(each => makeApiKey(each))
  assert.deepEqual(
    keys.map(({ pepperVersion }) => pepperVersion),
    [1, 2, 3],
  )
  const works = (peppers: ReturnType<typeof load>) => keys.map(({ key }) => parseApiKey(peppers, key) !== null)
  assert.deepEqual(works(load(third, [first, second])), [true, true, true])
  assert.deepEqual(works(load(third, [second], 3)), [false, true, true])
  assert.deepEqual(works(load(third, [second])), [false, false, false])
})
