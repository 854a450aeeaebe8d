import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf, assertRefused, noBackend } from '../support/admin.ts'
import { buildGateway } from '../support/gateway.ts'
import { makeKey } from '../support/keys.ts'

interface Account {
  readonly id: string
  readonly name: string
  readonly updated_at: string
  readonly [field: string]: unknown
}

const identity = { issuer: 'https://id.example', subject: 'ada' }

test('an account is made, found, changed and deleted', async t => {
  const gateway = await buildGateway(t, { env: noBackend })
  const admin = adminOf(gateway)
  const made = await admin.ask('POST', '/accounts', { name: 'acme' })
  assert.equal(made.status, 201)
  assert.equal(made.headers.get('cache-control'), 'no-store')
  const account = made.body as unknown as Account
  const { id, created_at, updated_at, ...rest } = account
  const plain = { object: 'account', name: 'acme', tier: 'free', status: 'active' }
  assert.deepEqual(rest, { ...plain, limits: {}, identities: [], metadata: {}, deleted_at: null })
  assert.equal(created_at, updated_at)
  assert.deepEqual(await admin.get('GET', `/accounts/${id}`), account)
  assert.deepEqual(await admin.get('GET', '/accounts/acme'), account)

  const changes = {
    name: 'ACME & Söhne',
    tier: 'premium',
    status: 'suspended',
    limits: { requests_per_minute: 5, tokens_per_day: null, spend_per_day: '0.000000001' },
    identities: [identity],
    metadata: { team: 'a "b" \\ ü' },
  }
  const changed = await admin.get<Account>('PATCH', `/accounts/${id}`, changes)
  assert.deepEqual(changed, { ...account, ...changes, updated_at: changed.updated_at })
  assert.ok(changed.updated_at > account.updated_at)
  // What changes nothing is no change.
  assert.deepEqual(await admin.get('PATCH', `/accounts/${id}`, changes), changed)
  assert.deepEqual(await admin.get('PATCH', `/accounts/${id}`, {}), changed)
  for (const more of [{}, { status: 'active' }]) {
    const unlinked = await admin.ask('PATCH', `/accounts/${id}`, { identities: [], ...more })
    assertRefused(unlinked, 409, 'identities', /delete the account/)
  }
  await admin.get('PATCH', `/accounts/${id}`, { status: 'active' })
  assertRefused(await admin.ask('PATCH', `/accounts/${id}`, { identities: [], status: 'suspended' }), 409, 'identities')
  const bare = await admin.get<Account>('PATCH', `/accounts/${id}`, { limits: null, identities: [], metadata: {} })
  assert.deepEqual([bare['limits'], bare['identities'], bare['metadata']], [{}, [], {}])

  await admin.get('PATCH', `/accounts/${id}`, { identities: [identity] })
  const gone = await admin.get<Account>('DELETE', `/accounts/${id}`)
  assert.deepEqual([gone['status'], gone['deleted_at']], ['suspended', gone.updated_at])
  assert.deepEqual(await admin.get('DELETE', `/accounts/${id}`, {}), gone)
  assert.deepEqual(await admin.get('GET', `/accounts/${id}`), gone)
  assertRefused(await admin.ask('GET', `/accounts/${encodeURIComponent('ACME & Söhne')}`), 404)
  assertRefused(await admin.ask('PATCH', `/accounts/${id}`, { status: 'active' }), 409, null, /deleted/)
  const again = await admin.ask('POST', '/accounts', { name: 'ACME & Söhne', identities: [identity] })
  assert.equal(again.status, 201)
})

test('deleting an account ends its keys', async t => {
  const gateway = await buildGateway(t, { env: noBackend })
  const admin = adminOf(gateway)
  const [mine, other] = [
    await makeKey(gateway.app, { account: 'acme' }),
    await makeKey(gateway.app, { account: 'other' }),
  ]
  const account = await admin.get<Account>('DELETE', '/accounts/acme')
  assert.notEqual(account['deleted_at'], null)
  // As if it had been interrupted before all keys were ended.
  await gateway.app.sql`update api_keys set revoked_at = null where account_id = ${account.id}`
  assert.deepEqual(await admin.get('DELETE', '/accounts/acme'), account)
  const statuses = await Promise.all(
    [mine, other].map(async key => (await admin.get('GET', `/keys/${key.slice(8, 24)}`))['status']),
  )
  assert.deepEqual(statuses, ['revoked', 'active'])
  assertRefused(await admin.ask('POST', '/keys', { account: account.id }), 409, 'account')
  assertRefused(await admin.ask('POST', '/keys', { account: 'acme' }), 404, 'account')
})

test('what cannot be is refused, and says where', async t => {
  const gateway = await buildGateway(t, { env: noBackend })
  const admin = adminOf(gateway)
  const { id } = await admin.get<Account>('POST', '/accounts', { name: 'acme', identities: [identity] })
  await admin.get('POST', '/accounts', { name: 'other' })
  const long = 'x'.repeat(129)
  const creations: [unknown, number, string | null][] = [
    [{}, 400, 'name'],
    [{ name: '' }, 400, 'name'],
    [{ name: long }, 400, 'name'],
    [{ name: 'a\nb' }, 400, 'name'],
    [{ name: 'a\u0000' }, 400, 'name'],
    [{ name: 'a\u009b' }, 400, 'name'],
    [{ name: 1 }, 400, 'name'],
    [{ name: '01890000-0000-7000-8000-000000000000' }, 400, 'name'],
    [{ name: 'acme' }, 409, 'name'],
    [{ name: 'default' }, 409, 'name'],
    [{ name: 'n', tier: 'gold' }, 400, 'tier'],
    [{ name: 'n', tier: 'toString' }, 400, 'tier'],
    [{ name: 'n', status: 'deleted' }, 400, 'status'],
    [{ name: 'n', limits: { requests_per_minute: -1 } }, 400, 'limits.requests_per_minute'],
    [{ name: 'n', limits: { requests_per_minute: 1.5 } }, 400, 'limits.requests_per_minute'],
    [{ name: 'n', limits: { requests_per_minute: '5' } }, 400, 'limits.requests_per_minute'],
    [{ name: 'n', limits: { requests_per_minute: 1_000_000_000_001 } }, 400, 'limits.requests_per_minute'],
    [{ name: 'n', limits: { spend_per_day: 5 } }, 400, 'limits.spend_per_day'],
    [{ name: 'n', limits: { spend_per_day: '9000000.000000001' } }, 400, 'limits.spend_per_day'],
    [{ name: 'n', limits: { spend_per_day: '00005' } }, 400, 'limits.spend_per_day'],
    [{ name: 'n', limits: { spend_per_day: '-1' } }, 400, 'limits.spend_per_day'],
    [{ name: 'n', limits: { spend_per_day: '0.0000000001' } }, 400, 'limits.spend_per_day'],
    [{ name: 'n', limits: { requestsPerMinute: 5 } }, 400, 'limits.requestsPerMinute'],
    [{ name: 'n', identities: [identity] }, 409, 'identities'],
    [{ name: 'n', identities: [{ issuer: 'x' }] }, 400, 'identities[0].subject'],
    [{ name: 'n', identities: [{ issuer: 'a b', subject: 'x' }] }, 400, 'identities[0].issuer'],
    [{ name: 'n', identities: [{ ...identity, role: 'x' }] }, 400, 'identities[0].role'],
    [
      {
        name: 'n',
        identities: [
          { issuer: 'x', subject: 'y' },
          { subject: 'y', issuer: 'x' },
        ],
      },
      400,
      'identities',
    ],
    [{ name: 'n', metadata: { a: 1 } }, 400, 'metadata.a'],
    [{ name: 'n', metadata: { a: 'x'.repeat(513) } }, 400, 'metadata.a'],
    [{ name: 'n', metadata: { [long]: 'x' } }, 400, `metadata["${long.slice(0, 64)}"]`],
    [{ name: 'n', metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, ''])) }, 400, 'metadata'],
    [{ name: 'n', id: 'x' }, 400, 'id'],
    ['n', 400, null],
  ]
  for (const [body, status, param] of creations) {
    assertRefused(await admin.ask('POST', '/accounts', body), status, param)
  }
  assertRefused(await admin.ask('PATCH', `/accounts/${id}`, { name: 'other' }), 409, 'name')
  assertRefused(await admin.ask('PATCH', '/accounts/other', { identities: [identity] }), 409, 'identities')
  assertRefused(await admin.ask('PATCH', '/accounts/default', { name: 'mine' }), 409, 'name')
  assertRefused(await admin.ask('DELETE', '/accounts/default'), 409, null, /default account/)
  assertRefused(await admin.ask('DELETE', '/accounts/nobody'), 404, null)
  for (const id of ['nobody', '01890000-0000-7000-8000-000000000000', "'%20or%201=1--", '%252e', 'a%2Fb']) {
    const answer = await admin.ask('GET', `/accounts/${id}`)
    assertRefused(answer, 404, null)
    assert.equal(answer.error?.code, 'not_found')
  }
  assertRefused(await admin.ask('GET', '/accounts/a%00b'), 400, 'id')
  assert.equal(((await admin.get('GET', '/accounts'))['data'] as unknown[]).length, 3)
})

test('a name or an identity goes to one of those who want it at once', async t => {
  const gateway = await buildGateway(t, { env: noBackend })
  const admin = adminOf(gateway)
  const statuses = async (bodies: object[]) => {
    const answers = await Promise.all(bodies.map(body => admin.ask('POST', '/accounts', body)))
    return answers.map(({ status }) => status).toSorted((a, b) => a - b)
  }
  assert.deepEqual(await statuses(Array.from({ length: 10 }, () => ({ name: 'one' }))), [201, ...Array(9).fill(409)])
  const bodies = Array.from({ length: 10 }, (_, index) => ({ name: `n${index}`, identities: [identity] }))
  assert.deepEqual(await statuses(bodies), [201, ...Array(9).fill(409)])
})

test('changes of one account at once all count, and none is lost from the log', async t => {
  const gateway = await buildGateway(t, { env: noBackend })
  const admin = adminOf(gateway)
  const { id } = await admin.get<Account>('POST', '/accounts', { name: 'acme' })
  const changes = Array.from({ length: 20 }, (_, index) => ({ metadata: { turn: String(index) } }))
  const answers = await Promise.all(changes.map(change => admin.ask('PATCH', `/accounts/${id}`, change)))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  type Entry = { readonly before: object | null; readonly after: object | null }
  const { data } = await admin.get<{ data: Entry[] }>('GET', `/audit?target_id=${id}&limit=100`)
  assert.equal(data.length, 21)
  assert.deepEqual(data[0]?.after, await admin.get('GET', `/accounts/${id}`))
  for (const [index, { before }] of data.entries()) assert.deepEqual(before, data[index + 1]?.after ?? null)
})

test('the tiers are those of the configuration', async t => {
  const yaml = `
tiers:
  gold:
    scopes: [chat]
    models: [a-*]
    maxTokens: { default: 10, cap: 20 }
    limits: { requestsPerMinute: 7, burst: 9 }
    quotas: { tokensPerMonth: 1000 }
    spendLimits: { perDay: "0.50" }
    priority: 3
    queueWait: 2s
    totalDeadline: 1m
`
  const gateway = await buildGateway(t, { env: noBackend, yaml })
  const admin = adminOf(gateway)
  const gold = {
    object: 'tier',
    name: 'gold',
    scopes: ['chat'],
    models: ['a-*'],
    limits: { requests_per_minute: 7, burst: 9 },
    quotas: { tokens_per_month: 1000 },
    spend_limits: { per_day: '0.50' },
    max_tokens: { default: 10, cap: 20 },
    priority: 3,
    queue_wait_ms: 2000,
    total_deadline_ms: 60_000,
  }
  assert.deepEqual(await admin.get('GET', '/tiers/gold'), gold)
  const { data, ...page } = await admin.get<{ data: { name: string }[] }>('GET', '/tiers')
  assert.deepEqual(page, { object: 'list', has_more: false, next_cursor: null })
  assert.deepEqual(new Set(data.map(({ name }) => name)), new Set(['free', 'premium', 'enterprise', 'gold']))
  assert.deepEqual(
    data.find(({ name }) => name === 'gold'),
    gold,
  )
  for (const name of ['silver', 'toString', '__proto__']) assertRefused(await admin.ask('GET', `/tiers/${name}`), 404)
})
