import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { chat } from '../../support/completion.ts'
import { llamaServer } from '../../support/engines.ts'
import { eventually } from '../../support/eventually.ts'
import { type GatewayProcess, startGateway } from '../../support/gateway-process.ts'
import { connect } from '../../support/limit-redis.ts'
import { sendPipelined } from '../../support/pipelined.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'
import { createMigratedDatabase, createRedisDatabase } from '../../support/services.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { adminKey, pepper } from '../process/calls.ts'

const accounts = 50
const requestsEach = 1000
const questions = 10

interface Tenant {
  readonly name: string
  readonly key: string
}

async function makeTenant({ url }: GatewayProcess, name: string): Promise<Tenant> {
  const ask = async (path: string, body: object) => {
    const answer = await fetch(`${url}/admin${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    assert.equal(answer.status, 201)
    return (await answer.json()) as { key?: string }
  }
  await ask('/accounts', { name, tier: 'open' })
  const { key = '' } = await ask('/keys', { account: name, name: 'k' })
  return { name, key }
}

/** Each answer has a number of its own, and what its prompt has said. */
function echoing() {
  let answers = 0
  return llamaServer({
    chat: async exchange => {
      const { messages } = Object(exchange.request.json) as { messages: { content: string }[] }
      await chat({ tokens: [`serial-${answers++}-end `, messages.at(-1)?.content ?? ''] })(exchange)
    },
  })
}

async function start(t: TestContext) {
  const backend = await startScriptedBackend(t, echoing())
  const redisUrl = await createRedisDatabase(t)
  const folder = makeTempDir(t)
  const configuration = {
    tiers: { open: {} },
    backends: { main: { url: backend.url, engine: 'llama-server', slots: 100 } },
    models: { m: { targets: [{ backend: 'main' }], cache: { mode: 'deterministic' } } },
  }
  writeFileSync(join(folder, 'weir.yaml'), JSON.stringify(configuration))
  const env = {
    DATABASE_URL: await createMigratedDatabase(t),
    REDIS_URL: redisUrl,
    WEIR_ADMIN_KEY: adminKey,
    WEIR_KEY_PEPPER: pepper,
  }
  const gateway = await startGateway(t, { folder, env })
  const tenants: Tenant[] = []
  for (let n = 0; n < accounts; n++) tenants.push(await makeTenant(gateway, `tenant-${n}`))
  return { backend, gateway, tenants, redis: await connect(t, redisUrl) }
}

/** Every other one is asked by all accounts in the same words; the rest say whose they are. */
function* bodiesOf({ name }: Tenant): Generator<string> {
  for (let n = 0; n < requestsEach; n++) {
    const which = n % questions
    const content = which % 2 === 0 ? `asked by all: ${which}` : `canary-${name}-end ${which}`
    yield JSON.stringify({ model: 'm', messages: [{ role: 'user', content }], temperature: 0, stream: false })
  }
}

test('C01: of 50,000 requests of 50 accounts in turn none is answered what another account was, in no answer, log or entry', async t => {
  const { backend, gateway, tenants, redis } = await start(t)
  /** Whose answer it is, by its number; and whose entry, by its name. */
  const owners = new Map<string, string>()
  const entries = new Map<string, string>()
  let hits = 0
  const look = (name: string, text: string) => {
    for (const [canary] of text.matchAll(/canary-tenant-\d+-end/g)) assert.equal(canary, `canary-${name}-end`)
    for (const [serial] of text.matchAll(/serial-\d+-end/g)) {
      assert.equal(owners.get(serial) ?? name, name, `${serial} was an answer of ${owners.get(serial)}`)
      owners.set(serial, name)
    }
  }
  const port = Number(new URL(gateway.url).port)
  await Promise.all(
    tenants.map(tenant =>
      sendPipelined(t, {
        port,
        key: tenant.key,
        path: '/v1/chat/completions',
        bodies: bodiesOf(tenant),
        depth: 4,
        onAnswer: (head, body) => {
          assert.match(head, /^http\/1\.1 200 /)
          assert.match(body, /serial-\d+-end/)
          look(tenant.name, body)
          if (head.includes('x-weir-cache: hit')) hits++
          const [, key = ''] = /x-weir-cache-key: (\w+)/.exec(head) ?? []
          assert.equal(entries.get(key) ?? tenant.name, tenant.name)
          entries.set(key, tenant.name)
        },
      }),
    ),
  )
  const asked = backend.exchangesTo('/v1/chat/completions').length
  t.diagnostic(`${hits} hits, ${asked} calls`)
  assert.equal(hits + asked, accounts * requestsEach)
  assert.ok(asked >= accounts * questions && asked < 2 * accounts * questions, `${asked} calls`)
  assert.equal(entries.size, accounts * questions)

  let seen = 0
  for (const [key, name] of entries) {
    const entry = await redis.get(`weir:{answers}:answer:${key}`)
    assert.match(entry ?? '', /serial-\d+-end/)
    look(name, entry ?? '')
    seen++
  }
  assert.equal(seen, entries.size)
  assert.equal((await redis.keys('weir:{answers}:answer:*')).length, entries.size)
  await eventually('the lines of all requests', () => gateway.stdout.length >= accounts * requestsEach)
  const log = [...gateway.stdout, ...gateway.stderr].join('\n')
  assert.doesNotMatch(log, /canary-|serial-|asked by all/)
})
