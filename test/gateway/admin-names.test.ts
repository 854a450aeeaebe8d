import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf, assertRefused, noBackend } from '../support/admin.ts'
import { buildGateway } from '../support/gateway.ts'
import { commandsOf, operationsOf } from '../support/keys.ts'

test('names are what can be seen and told apart, and never a key', async t => {
  const gateway = await buildGateway(t, { env: noBackend, yaml: 'tiers: { narrow: { scopes: [chat] } }' })
  const admin = adminOf(gateway)
  const commands = commandsOf(operationsOf(gateway.app))
  const { id, key } = await commands.createKey({ account: 'default' })

  await t.test('what could be taken for something else is refused, wherever a name is given', async () => {
    const id = '01890000-0000-7000-8000-00000000000A'
    for (const name of [key, `my ${key}`, 'a\u200bb', '\u202ea', 'a\u2028b', 'a\u2029', ' a', 'a\u00a0', id]) {
      const answers = [
        await admin.ask('POST', '/accounts', { name }),
        await admin.ask('PATCH', '/accounts/default', { name }),
        await admin.ask('POST', '/keys', { account: 'default', name }),
        await admin.ask('PATCH', `/keys/${key.slice(8, 24)}`, { name }),
        await admin.ask('POST', `/keys/${key.slice(8, 24)}/rotate`, { name }),
      ]
      for (const answer of answers) {
        assertRefused(answer, 400, 'name')
        assert.equal(answer.error?.message.includes(key.slice(30)), false)
      }
    }
  })

  await t.test('a key that is pasted as a name is looked for and not repeated', async () => {
    for (const [method, path, body] of [
      ['GET', `/accounts/${key}`],
      ['DELETE', `/accounts/${key}`],
      ['GET', `/keys/${key}`],
      ['GET', `/tiers/${key}`],
      ['POST', '/keys', { account: key }],
    ] as const) {
      const answer = await admin.ask(method, path, body)
      assertRefused(answer, 404)
      assert.equal(answer.error?.message.includes(key.slice(8)), false, path)
    }
    const messageOf = (error: Error) => /an API key/.test(error.message) && !error.message.includes(key.slice(8))
    await assert.rejects(commands.ensureAccount({ name: key }), messageOf)
    assert.equal((await admin.get('GET', `/keys/${id}`))['name'], 'key')
  })

  await t.test('an account that many want at once is made once, and not for a key that cannot be', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => commands.ensureAccount({ name: 'wanted' })))
    assert.equal(new Set(ids.map(({ id }) => id)).size, 1)
    for (const key of [{ scopes: ['usage' as const] }, { expires_at: '2001-01-01T00:00:00Z' }, { name: ' a' }]) {
      const isAsked = commands.ensureAccount({ name: 'unwanted', tier: 'narrow', key })
      await assert.rejects(isAsked, { kind: 'invalidRequest' })
    }
    assertRefused(await admin.ask('GET', '/accounts/unwanted'), 404)
  })

  await t.test('a name is the same in every way to write it', async () => {
    const [composed, decomposed] = ['Zoë', 'Zoe\u0308']
    const account = await admin.get<{ name: string }>('POST', '/accounts', { name: decomposed })
    assert.equal(account.name, composed)
    for (const name of [composed, decomposed]) {
      assertRefused(await admin.ask('POST', '/accounts', { name }), 409, 'name')
      assert.deepEqual(await admin.get('GET', `/accounts/${encodeURIComponent(name)}`), account)
      const { data } = await admin.get<{ data: unknown[] }>('GET', `/accounts?name=${encodeURIComponent(name)}`)
      assert.deepEqual(data, [account])
    }
  })
})
