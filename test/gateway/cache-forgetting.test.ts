import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { adminOf } from '../support/admin.ts'
import { callsTool, chatPath, post, question, startCached } from '../support/cached.ts'
import { llamaServer } from '../support/engines.ts'

test('an administrator forgets answers by account, model or key; a new revision of a model knows none of the old', async t => {
  const world = await startCached(t, { model: { aliases: ['tiny'] } })
  const { gateway } = world
  const { key, account } = await world.caller()
  const other = await world.caller()
  const { ask } = adminOf(gateway)
  const cacheOf = async (secret = key) => (await post(gateway, secret)).cache
  const fill = async () => {
    await cacheOf()
    assert.deepEqual(
      [await cacheOf(), (await cacheOf(other.key)) !== null, await cacheOf(other.key)],
      ['hit', true, 'hit'],
    )
  }
  await fill()
  const named = (await post(gateway, key)).headers.get('x-weir-cache-key') ?? ''
  const forgotten = await ask('DELETE', `/cache?key=${named}`)
  assert.deepEqual(forgotten.body, { object: 'cache_deletion', account: null, model: null, key: named })
  assert.deepEqual([await cacheOf(other.key), await cacheOf()], ['hit', 'miss'])
  assert.equal((await ask('DELETE', `/cache?account=${encodeURIComponent(account)}`)).status, 200)
  assert.deepEqual([await cacheOf(other.key), await cacheOf()], ['hit', 'miss'])
  assert.equal((await ask('DELETE', '/cache?model=tiny')).body['model'], 'tinychat')
  assert.deepEqual([await cacheOf(other.key), await cacheOf()], ['miss', 'miss'])
  for (const query of ['', '?model=a&account=b', '?key=x', '?account=nobody']) {
    assert.ok([400, 404].includes((await ask('DELETE', `/cache${query}`)).status), query)
  }
  await fill()
  const yaml = JSON.parse(readFileSync(`${gateway.dataDir}/../weir.yaml`, 'utf8'))
  yaml.models.tinychat.revision = '2'
  gateway.writeYaml(JSON.stringify(yaml))
  await ask('POST', '/config/reload')
  assert.deepEqual([await cacheOf(), await cacheOf()], ['miss', 'hit'])
})

test('C06: an answer that calls a tool is not given again any more once its model is not to, and is where it is to again', async t => {
  const world = await startCached(t, { cache: { toolCalls: true }, behaviour: llamaServer({ chat: callsTool }) })
  const { gateway, backend } = world
  const { key } = await world.caller()
  const ask = async (stream: boolean) => {
    const response = await gateway.fetch(`${gateway.url}${chatPath}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...question, stream }),
    })
    assert.match(await response.text(), /"tool_calls"/)
    return response.headers.get('x-weir-cache')
  }
  assert.deepEqual([await ask(false), await ask(false), await ask(true)], ['miss', 'hit', 'hit'])
  const yaml = JSON.parse(readFileSync(`${gateway.dataDir}/../weir.yaml`, 'utf8'))
  const set = async (toolCalls: boolean) => {
    yaml.models.tinychat.cache.toolCalls = toolCalls
    gateway.writeYaml(JSON.stringify(yaml))
    assert.equal((await adminOf(gateway).ask('POST', '/config/reload')).status, 200)
  }
  await set(false)
  assert.deepEqual([await ask(false), await ask(true)], ['miss', 'miss'])
  assert.equal(backend.exchangesTo(chatPath).length, 3)
  await set(true)
  assert.equal(await ask(false), 'hit')
})
