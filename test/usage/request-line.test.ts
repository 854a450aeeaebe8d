import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { stallsAfter } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import { eventually } from '../support/eventually.ts'
import type { Behaviour } from '../support/exchange.ts'
import { startFleet } from '../support/fleet.ts'
import { adminKey, type Gateway } from '../support/gateway.ts'
import { ask, hello, readStream } from '../support/inference.ts'
import { makeKey } from '../support/keys.ts'

const question = { model: 'tinychat', messages: hello }
const always = ['hostname', 'level', 'msg', 'operation', 'outcome', 'durationMs', 'pid', 'reqId', 'status', 'time']
const known = [...always, 'account', 'key']
const tried = [...known, 'attempts', 'backend', 'model', 'target']
const counted = ['cachedInputTokens', 'firstTokenMs', 'inputTokens', 'outputTokens']

/** The line of the `nth` request, from 1: its outcome, status and the names of its fields. */
async function nth({ logLines }: Gateway, number: number) {
  const lines = () => logLines.filter(({ msg }) => msg === 'request')
  const line = (await eventually(`line ${number}`, () => lines()[number - 1])) ?? {}
  return { outcome: line['outcome'], status: line['status'], fields: new Set(Object.keys(line)) }
}

async function post(gateway: Gateway, body: object, key = adminKey): Promise<void> {
  const answer = await gateway.fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  })
  await answer.text()
}

test('the line of a request has the fields of its kind and no other, whichever way it ends', async t => {
  const { gateway, backends } = await startFleet(t, [llamaServer()], {
    more: { tiers: { narrow: { limits: { requestsPerMinute: 1 } } }, routing: { maxAttempts: 1 } },
  })
  const use = (behaviour: Behaviour) => backends[0]?.use(llamaServer({ chat: behaviour }))
  const expect = async (number: number, outcome: string, status: number, fields: readonly string[]) =>
    assert.deepEqual(await nth(gateway, number), { outcome, status, fields: new Set(fields) }, outcome)

  await post(gateway, question)
  await expect(1, 'ok', 200, [...tried, ...counted])
  await readStream(await ask(t, gateway))
  await expect(2, 'ok', 200, [...tried, ...counted])
  use(stallsAfter(2))
  const client = await ask(t, gateway)
  await client.head()
  client.destroy()
  await expect(3, 'client-gone', 200, [...tried, 'firstTokenMs', 'reason'])
  await post(gateway, question, 'nobody')
  await expect(4, 'invalid_api_key', 401, always)
  await post(gateway, { ...question, model: 'other' })
  await expect(5, 'model_not_found', 404, known)
  use(exchange => exchange.reset())
  await post(gateway, question)
  await expect(6, 'reset', 502, [...tried, 'reason'])
  use(llamaServer())
  const key = await makeKey(gateway.app, { account: 'narrow', tier: 'narrow' })
  await post(gateway, question, key)
  await expect(7, 'ok', 200, [...tried, ...counted])
  await post(gateway, question, key)
  await expect(8, 'request_limit_exceeded', 429, [...known, 'model'])
})

test('of requests that went well a share is logged, and every other one', async t => {
  const { gateway } = await startFleet(t, [llamaServer()], { more: { log: { sampleSuccesses: 0 } } })
  await post(gateway, question)
  await post(gateway, { ...question, model: 'other' })
  assert.deepEqual((await nth(gateway, 1)).outcome, 'model_not_found')
  assert.equal(gateway.logLines.filter(({ msg }) => msg === 'request').length, 1)
})

test('docs/LOGS.md explains every field that a line can have, and none besides', () => {
  const page = readFileSync(new URL('../../docs/LOGS.md', import.meta.url), 'utf8')
  const source = readFileSync(new URL('../../src/log/fields.ts', import.meta.url), 'utf8')
  const fields = Array.from(source.matchAll(/^ {2}'(\w+)',$/gm), ([, name]) => name)
  const section = /\n## Fields\n([\s\S]*?)\n## /.exec(page)?.[1] ?? ''
  const cells = section.split('\n').flatMap(line => /^\| ([^|]+)\|/.exec(line)?.[1] ?? [])
  const explained = cells.flatMap(cell => Array.from(cell.matchAll(/`(\w+)`/g), ([, name]) => name))
  const ofEveryLine = ['level', 'time', 'pid', 'hostname', 'reqId', 'msg']
  assert.deepEqual(new Set(explained), new Set([...fields, ...ofEveryLine]))
  assert.equal(explained.length, new Set(explained).size, 'each once')
})
