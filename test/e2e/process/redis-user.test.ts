import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import { startGateway } from '../../support/gateway-process.ts'
import { signIn } from '../../support/redis-admin.ts'
import { startRedis } from '../../support/redis-server.ts'
import { createDatabase } from '../../support/services.ts'
import { adminKey, health, pepper, untilReady } from './calls.ts'

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')

/** As README has them. */
function documentedCommands(): string[] {
  const [, text = ''] = /- \*\*The Redis user\*\* of Weir may do (.*?), on `weir:\*`/s.exec(readme) ?? []
  return [...text.matchAll(/`([A-Z]+)`/g)].map(([, name = '']) => name.toLowerCase())
}

test('a Redis user with no more than the commands that README names is enough', async t => {
  const redis = await startRedis(t)
  const admin = await signIn(t, redis.url)
  const commands = documentedCommands()
  assert.ok(commands.length > 15)
  const rights = ['on', '>secret-of-weir', '~weir:*', '&weir:*', '-@all', ...commands.map(name => `+${name}`)]
  await admin.call('ACL', 'SETUSER', 'weir', ...rights)
  const url = new URL(redis.url)
  url.username = 'weir'
  url.password = 'secret-of-weir'
  const env = {
    DATABASE_URL: await createDatabase(t),
    REDIS_URL: url.href,
    WEIR_ADMIN_KEY: adminKey,
    WEIR_KEY_PEPPER: pepper,
  }
  const gateway = await startGateway(t, { env })
  await untilReady(gateway.url)
  await eventually('all is well', async () => (await health(gateway.url, '/health')).status === 'ok')
  const made = await fetch(`${gateway.url}/admin/accounts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'of redis', tier: 'free' }),
  })
  assert.equal(made.status, 201)
  // Each of them has been refused nothing since it began.
  const denied = (await admin.call('ACL', 'LOG')) as unknown[][]
  assert.deepEqual(
    denied.map(entry => entry[5]),
    [],
  )
  const troubles = gateway.logs().filter(({ level }) => Number(level) >= 40)
  assert.deepEqual(troubles, [])
  gateway.kill()
  assert.deepEqual(await gateway.exit, { code: 0, signal: null })
})
