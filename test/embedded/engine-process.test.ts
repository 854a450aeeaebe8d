import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { capitalOfFrance, listenToLog, post, silentLog, start } from './engine-fixture.ts'

const sourceFolder = fileURLToPath(new URL('../../src/embedded', import.meta.url))
const demoModel = join(sourceFolder, 'model/weir-demo.gguf')

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-engine-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

test('while the model loads every path answers 503', { timeout: 10_000 }, async t => {
  const engine = start()
  t.after(() => engine.stop())
  // The load blocks the child's loop, so this connection may be served before it or after: both answers are right.
  const { status, body } = await post(await engine.url, '/v1/chat/completions', capitalOfFrance)
  if (status === 503) assert.deepEqual(body.error, { code: 503, message: 'Loading model', type: 'unavailable_error' })
  else assert.equal(status, 200)
})

test('a killed engine comes back on the same URL', { timeout: 10_000 }, async t => {
  const { log, heard } = listenToLog('warn', 'started again')
  const { log: readyLog } = listenToLog('info', '')
  let isReadyAgain = Promise.withResolvers<void>()
  const engine = start({ log: { ...readyLog, warn: log.warn, info: () => isReadyAgain.resolve() } })
  t.after(() => engine.stop())
  const url = await engine.ready
  const state = engine.available()
  assert.equal(state.kind, 'ready')
  isReadyAgain = Promise.withResolvers<void>()
  process.kill(state.pid, 'SIGKILL')
  await heard
  assert.equal(engine.available().kind, 'restarting')
  await isReadyAgain.promise
  const reborn = engine.available()
  assert.equal(reborn.kind, 'ready')
  assert.equal(reborn.url, url)
  assert.notEqual(reborn.pid, state.pid)
  const { status } = await post(url, '/v1/chat/completions', capitalOfFrance)
  assert.equal(status, 200)
})

test('stop ends the process, also in the middle of an answer', { timeout: 10_000 }, async () => {
  const engine = start()
  const url = await engine.ready
  const answer = post(url, '/v1/completions', { prompt: 'a b c', temperature: 0, max_tokens: 500 })
  const cut = assert.rejects(answer)
  await engine.stop()
  await cut
  assert.deepEqual(engine.available(), { kind: 'stopped' })
  await assert.rejects(fetch(url))
})

test('the engine dies with its parent, also when that is killed', { timeout: 10_000 }, async () => {
  const parent = spawn(process.execPath, [fileURLToPath(new URL('engine-parent.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(parent.stdout.setEncoding('utf8'), 'data')
  const url = new URL(String(line).trim())
  const socket = connect(Number(url.port), url.hostname)
  await once(socket, 'connect')
  parent.kill('SIGKILL')
  await once(socket.resume(), 'close')
  await assert.rejects(fetch(url))
})

test('a model file gives the model its name', { timeout: 10_000 }, async t => {
  const folder = await makeFolder(t)
  const modelPath = join(folder, 'my-model.Q8_0.gguf')
  await cp(demoModel, modelPath)
  const engine = start({ modelPath, slots: 1 })
  t.after(() => engine.stop())
  assert.equal(engine.modelName, 'my-model.Q8_0')
  const { body } = await post(await engine.ready, '/v1/chat/completions', { ...capitalOfFrance, max_tokens: 1 })
  assert.equal(body.model, 'my-model.Q8_0')
})

test('a missing file and one that is no model fail at once and name the file', { timeout: 10_000 }, async t => {
  const folder = await makeFolder(t)
  const junk = join(folder, 'junk.gguf')
  await writeFile(junk, 'hello')
  for (const modelPath of [join(folder, 'nope.gguf'), junk, folder]) {
    const engine = start({ modelPath })
    await assert.rejects(engine.ready, { message: new RegExp(`^the model file ${modelPath} `) })
    await assert.rejects(engine.url)
    assert.equal(engine.available().kind, 'failed')
    await engine.stop()
    assert.equal(engine.available().kind, 'failed')
  }
})

test('a damaged model, which crashes the engine, is given up after three tries', { timeout: 15_000 }, async t => {
  const damaged = join(await makeFolder(t), 'damaged.gguf')
  await using file = await open(damaged, 'w')
  await file.write((await readFile(demoModel)).subarray(0, 500_000))
  const engine = start({ modelPath: damaged })
  t.after(() => engine.stop())
  await assert.rejects(engine.ready, /died 3 times while loading .*damaged\.gguf/)
  const state = engine.available()
  assert.equal(state.kind, 'failed')
})

test('without the engine package the state says so and what to do', { timeout: 10_000 }, async t => {
  const folder = await makeFolder(t)
  for (const name of ['engine', 'engine-process.ts', 'engine-child.ts']) {
    await cp(join(sourceFolder, name), join(folder, name), { recursive: true })
  }
  const copy: typeof import('../../src/embedded/engine-process.ts') = await import(
    pathToFileURL(join(folder, 'engine-process.ts')).href
  )
  const engine = copy.startEngine({ modelPath: demoModel, slots: 1, contextLength: 512, log: silentLog })
  t.after(() => engine.stop())
  await assert.rejects(engine.ready, /@fugood\/llama\.node/)
  const state = engine.available()
  assert.equal(state.kind, 'unavailable')
  assert.match(state.remedy, /optional dependencies/)
})
