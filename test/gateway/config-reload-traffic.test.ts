import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pausesAfter, stallsAfter } from '../support/behaviours.ts'
import { chat } from '../support/completion.ts'
import { llamaServer, vllmServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import { adminKey, buildGateway } from '../support/gateway.ts'
import { ask, gather, question, readStream } from '../support/inference.ts'
import { connectRaw, type RawClient, type RawEvent } from '../support/raw-client.ts'
import { pickReload, served, startReloading } from '../support/reloading.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'

/** Reads up to the second token of a stream that waits there; `rest` reads on. */
async function begun(client: RawClient) {
  await client.head()
  const read: RawEvent[] = []
  const events = client.events()[Symbol.asyncIterator]()
  const readOn = async (isEnough: (event: RawEvent) => boolean) => {
    for (let next = await events.next(); next.done !== true; next = await events.next()) {
      read.push(next.value)
      if (isEnough(next.value)) return
    }
  }
  await readOn(({ data }) => data?.includes('word1') === true)
  return {
    rest: async () => {
      await readOn(() => false)
      return gather(read)
    },
  }
}

test('a model that is taken away answers 404 from then on, while what runs ends whole on its backend', async t => {
  const { backend, gateway, reload, asked } = await startReloading(t)
  const other = await startScriptedBackend(t)
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  backend.use(llamaServer({ chat: pausesAfter(2, released, { tokens: 4 }) }))
  const streams = await Promise.all([ask(t, gateway), ask(t, gateway)])
  const running = await Promise.all(streams.map(begun))

  const moved = { backends: { next: { url: other.url } }, models: { newchat: { targets: [{ backend: 'next' }] } } }
  assert.deepEqual(pickReload(await reload(moved)).changed, [
    'backends.main',
    'backends.next',
    'models.tinychat',
    'models.newchat',
  ])
  assert.equal((await asked()).status, 404)
  assert.equal((await asked(adminKey, 'newchat')).status, 200)
  assert.deepEqual(Object.keys(gateway.app.backends.states()), ['next'])

  release()
  for (const { rest } of running) {
    const seen = await rest()
    assert.deepEqual([seen.text, seen.isDone], [' word0 word1 word2 word3', true])
  }
  // Nothing of the backend that is gone stays open, and it is not asked again.
  await eventually('its connections are closed', () => backend.sockets.open === 0)
})

test('a backend with another URL is another one: what runs ends on the old, what comes goes to the new', async t => {
  const { backend, gateway, reload, asked } = await startReloading(t)
  const other = await startScriptedBackend(t)
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  backend.use(llamaServer({ chat: pausesAfter(2, released, { tokens: 4 }) }))
  const running = await begun(await ask(t, gateway))
  await reload(served(other.url))
  assert.equal((await asked()).status, 200)
  assert.equal(other.exchangesTo('/v1/chat/completions').length, 1)
  release()
  assert.equal((await running.rest()).isDone, true)
  assert.equal(backend.exchangesTo('/v1/chat/completions').length, 1)
})

test('a request that began before goes by what was there then, also where it gets to its backend afterwards', async t => {
  const { backend, gateway, reload, asked } = await startReloading(t)
  const other = await startScriptedBackend(t)
  const client = await connectRaw(t, gateway.url)
  const body = JSON.stringify(question)
  const head = ['POST /v1/chat/completions HTTP/1.1', 'host: x', `authorization: Bearer ${adminKey}`]
  client.send(`${[...head, 'content-type: application/json', `content-length: ${body.length}`].join('\r\n')}\r\n\r\n`)
  client.send(body.slice(0, 10))
  // By then it is known who calls: the preset key is looked at as soon as the head is there.
  await eventually('the request is there', () => gateway.app.drain.running === 1)
  await reload({ backends: { main: { url: other.url } }, models: { newchat: { targets: [{ backend: 'main' }] } } })
  assert.equal((await asked()).status, 404)
  client.send(body.slice(10))
  assert.equal((await client.response()).status, 200)
  assert.equal(backend.exchangesTo('/v1/chat/completions').length, 1)
  assert.equal(other.exchangesTo('/v1/chat/completions').length, 0)
  await eventually('the old one is let go', () => backend.sockets.open === 0)
})

test('connections that a backend would keep are closed with it', async t => {
  const { backend, reload, asked } = await startReloading(t, ({ url }) => ({
    backends: { main: { url, engine: 'vllm' } },
  }))
  const other = await startScriptedBackend(t)
  backend.use(vllmServer())
  assert.equal((await asked()).status, 200)
  assert.equal(backend.sockets.open, 1)
  await reload(served(other.url))
  // By itself it would be closed when it has been idle for four seconds.
  await eventually('it is closed', () => backend.sockets.open === 0, { withinMs: 3000 })
})

test('what stays as it was is the same backend, and models that one lists are there before and after', async t => {
  const { backend, gateway, reload } = await startReloading(t, ({ url }) => ({
    backends: { main: { url, discover: true } },
    models: {},
  }))
  const [found] = gateway.app.catalog.current.models
  assert.ok(found)
  const { opened } = backend.sockets
  await reload({ backends: { main: { url: backend.url, discover: true } }, models: {}, log: { level: 'debug' } })
  assert.equal(gateway.app.catalog.current.find(found.id)?.id, found.id)
  assert.equal(gateway.app.backends.states()['main']?.kind, 'up')
  assert.equal(backend.sockets.opened, opened)
  // Set otherwise, it is asked anew; until it has answered, what it had counts.
  const timeouts = { idle: '5s' }
  await reload({ backends: { main: { url: backend.url, discover: true, timeouts } }, models: {} })
  assert.equal(gateway.app.catalog.current.find(found.id)?.id, found.id)
  await eventually('it is up', () => gateway.app.backends.states()['main']?.kind === 'up')
})

test('the file itself is enough, and the streams go on', async t => {
  const backend = await startScriptedBackend(t, llamaServer({ chat: stallsAfter(2) }))
  const gateway = await buildGateway(t, { yaml: JSON.stringify(served(backend.url)) })
  const client = await ask(t, gateway)
  await begun(client)
  gateway.writeYaml(JSON.stringify({ ...served(backend.url), log: { level: 'debug' } }))
  const line = await eventually('the reload', () =>
    gateway.logLines.find(({ msg }) => msg === 'configuration reloaded'),
  )
  assert.deepEqual([line?.['cause'], line?.['changed']], ['file', ['log.level']])
  assert.equal(backend.exchangesTo('/v1/chat/completions')[0]?.isOpen, true)
  backend.use(llamaServer({ chat: chat({ tokens: 3 }) }))
  assert.equal((await readStream(await ask(t, gateway))).isDone, true)
})

test('weights are changed while requests come, and none fails', async t => {
  const other = await startScriptedBackend(t)
  const weighted = (url: string, first: number, second: number) => ({
    backends: { main: { url, engine: 'llama-server' }, next: { url: other.url, engine: 'llama-server' } },
    models: {
      tinychat: {
        targets: [
          { backend: 'main', weight: first },
          { backend: 'next', weight: second },
        ],
      },
    },
  })
  const { backend, reload, asked } = await startReloading(t, ({ url }) => weighted(url, 1, 0))
  const seen = () => [backend, other].map(one => one.exchangesTo('/v1/chat/completions').length)
  const askMany = async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => asked()))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  }
  await askMany()
  assert.deepEqual(seen(), [20, 0])
  const asking = askMany()
  assert.deepEqual(pickReload(await reload(weighted(backend.url, 0, 1))).changed, ['models.tinychat.targets'])
  await asking
  const [before] = seen()
  await askMany()
  assert.equal(seen()[0], before, 'the one without weight has got nothing more')
})
