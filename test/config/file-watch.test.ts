import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { watchFile } from '../../src/config/file-watch.ts'
import { onEnd } from '../support/cleanup.ts'
import { createInbox } from '../support/inbox.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const digestOf = (text: string) => hash('sha256', text)

/** Watches `weir.yaml` in the folder. Polls only where it is told to: else every change has to be seen by its events. */
function watching(t: TestContext, folder: string, text: string, pollMs = 3_600_000) {
  const changes = createInbox<string>('change')
  const all: string[] = []
  const watch = watchFile({
    path: join(folder, 'weir.yaml'),
    digest: digestOf(text),
    onChange: digest => {
      all.push(digest)
      changes.put(digest)
    },
    pollMs,
  })
  onEnd(t, () => watch.close())
  const next = async () => await changes.take(() => true)
  return { next, all, watch }
}

test('every way of writing a file is seen, and one that changes nothing is none', async t => {
  const folder = makeTempDir(t)
  const path = join(folder, 'weir.yaml')
  writeFileSync(path, 'one')
  const { next, all } = watching(t, folder, 'one')

  await t.test('in place', async () => {
    writeFileSync(path, 'two')
    assert.equal(await next(), digestOf('two'))
  })
  await t.test('by a rename, as editors do', async () => {
    writeFileSync(`${path}~`, 'three')
    renameSync(`${path}~`, path)
    assert.equal(await next(), digestOf('three'))
  })
  await t.test('moved away first, and then made anew in two steps: half of it is not taken', async () => {
    renameSync(path, `${path}.bak`)
    writeFileSync(path, 'fo')
    writeFileSync(path, 'four')
    assert.equal(await next(), digestOf('four'))
  })
  await t.test('touched, and written with the same bytes: nothing; then removed: nothing; then put back', async () => {
    utimesSync(path, 1, 1)
    writeFileSync(path, 'four')
    rmSync(path)
    writeFileSync(path, 'five')
    assert.equal(await next(), digestOf('five'))
  })
  assert.deepEqual(all, ['two', 'three', 'four', 'five'].map(digestOf))
})

test('a link that is swapped for another folder, as Kubernetes does', async t => {
  const folder = makeTempDir(t)
  const release = (name: string, text: string) => {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'weir.yaml'), text)
    symlinkSync(name, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  release('..1', 'one')
  symlinkSync(join('..data', 'weir.yaml'), join(folder, 'weir.yaml'))
  const { next } = watching(t, folder, 'one')
  for (const [name, text] of [
    ['..2', 'two'],
    ['..3', 'three'],
  ] as const) {
    release(name, text)
    assert.equal(await next(), digestOf(text))
  }
})

test('a link to a file elsewhere is seen by looking at it now and then', async t => {
  const [folder, elsewhere] = [makeTempDir(t), makeTempDir(t)]
  writeFileSync(join(elsewhere, 'real.yaml'), 'one')
  symlinkSync(join(elsewhere, 'real.yaml'), join(folder, 'weir.yaml'))
  const { next } = watching(t, folder, 'one', 20)
  writeFileSync(join(elsewhere, 'real.yaml'), 'two')
  assert.equal(await next(), digestOf('two'))
})

test('what changed before it was watched is seen as well', async t => {
  const folder = makeTempDir(t)
  writeFileSync(join(folder, 'weir.yaml'), 'two')
  const { next } = watching(t, folder, 'one', 20)
  assert.equal(await next(), digestOf('two'))
})

test('one that is always written to is looked at all the same', async t => {
  const folder = makeTempDir(t)
  const path = join(folder, 'weir.yaml')
  writeFileSync(path, '0')
  const { next, watch } = watching(t, folder, '0')
  let count = 0
  const writing = setInterval(() => writeFileSync(path, String(++count)), 20)
  onEnd(t, () => clearInterval(writing))
  await next()
  assert.ok(count >= 10, `after ${count} writes`)
  watch.close()
})
