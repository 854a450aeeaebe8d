import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventually } from '../../support/eventually.ts'
import { processesIn } from '../../support/process-tree.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const testMs = 700

/** Runs test files with these texts, one after the other, as the scripts of package.json do but with less patience. */
async function run(t: TestContext, texts: readonly string[]): Promise<{ folder: string; output: string }> {
  const folder = makeTempDir(t)
  const files = texts.map((_, index) => join(folder, `${index}.test.ts`))
  for (const [index, file] of files.entries())
    writeFileSync(file, `import { test } from 'node:test'\nimport { createServer } from 'node:net'\n${texts[index]}\n`)
  const preload = join(root, 'test/support/file-bound.ts')
  const flags = [
    '--test',
    '--test-reporter=tap',
    '--test-concurrency=1',
    `--test-timeout=${testMs}`,
    '--import',
    preload,
  ]
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return await new Promise(resolve => {
    execFile(process.execPath, [...flags, ...files], { env, cwd: folder, timeout: 60_000 }, (_error, stdout, stderr) =>
      resolve({ folder, output: `${stdout}${stderr}` }),
    )
  })
}

const quick = "test('the next one', () => {})"
const silence = new RegExp(`0\\.test\\.ts: no test has ended for ${2 * testMs} ms: killed`)
const opened = /0\.test\.ts: the tests are over, but something is still open for \d+ ms: killed/
const hanging: Readonly<Record<string, { text: string; said: RegExp }>> = {
  'a test that waits for ever with something open': {
    text: "test('it waits', async () => { createServer().listen(0); await new Promise(() => {}) })",
    said: opened,
  },
  'a step after a test that never ends': {
    text: "test('it waits', t => { createServer().listen(0); t.after(() => new Promise(() => {})) })",
    said: opened,
  },
  'something left open by a test that has passed': {
    text: "test('it leaves', () => { createServer().listen(0) })",
    said: opened,
  },
  'a file that never gets to its tests': {
    text: 'createServer().listen(0)\nawait new Promise(() => {})',
    said: silence,
  },
  'a loop that gives nobody else a turn': {
    text: "test('it loops', () => { for (;;); })",
    said: new RegExp(`0\\.test\\.ts: "it loops" has not ended for ${2 * testMs} ms: killed`),
  },
}

for (const [name, { text, said }] of Object.entries(hanging)) {
  test(`${name} is named and ended, and the next file runs`, async t => {
    const { output } = await run(t, [text, quick])
    assert.match(output, said)
    assert.match(output, /^ok \d+ - the next one$/m)
  })
}

test('many tests may together take longer than one, and parts keep the whole alive', async t => {
  const wait = `new Promise(resolve => setTimeout(resolve, ${0.7 * testMs}))`
  const apart = `for (const part of ['a', 'b', 'c', 'd']) test(part, () => ${wait})`
  const within = `test('whole', { timeout: 60_000 }, async t => { for (const part of ['e', 'f', 'g', 'h']) await t.test(part, () => ${wait}) })`
  const { output } = await run(t, [apart, within])
  assert.match(output, /^# pass 9$/m)
  assert.match(output, /^# fail 0$/m)
})

test('what the ended file has started is ended as well', async t => {
  const redis = JSON.stringify(join(root, 'test/support/redis-server.ts'))
  const text = `import { writeFileSync } from 'node:fs'
    import { startRedisServer } from ${redis}
    test('it waits', async () => {
      const { folder } = await startRedisServer()
      writeFileSync('folder', folder)
      for (;;);
    })`
  const { folder } = await run(t, [text])
  const daemon = readFileSync(join(folder, 'folder'), 'utf8')
  await eventually('the Redis is gone', () => processesIn(daemon).length === 0)
})

test('each suite has a bound for its tests and its files', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const runs = ['test', 'test:e2e', 'test:chaos'].flatMap(name => (scripts[name] ?? '').split(' && '))
  assert.equal(runs.length, 4)
  for (const run of runs)
    assert.match(run, /^[^"]* --test-timeout=\d+ --import=\.\/test\/support\/file-bound\.ts [^"]*"[^"]+"$/)
})

test('a file that has threads of its own is left alone', async t => {
  const worker = "import { Worker } from 'node:worker_threads'\nimport { once } from 'node:events'"
  const wait =
    "await once(new Worker('setTimeout(() => {}, 200)', { eval: true, workerData: { name: 'its own' } }), 'exit')"
  const { output } = await run(t, [`${worker}\ntest('it has a thread', async () => { ${wait} })`])
  assert.match(output, /^ok 1 - it has a thread/m)
  assert.doesNotMatch(output, /killed/)
})
