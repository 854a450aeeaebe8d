import assert from 'node:assert/strict'
import { test } from 'node:test'
import postgres from 'postgres'
import { adminOf, assertRefused } from '../support/admin.ts'
import { errorAnswer } from '../support/behaviours.ts'
import { llamaServer } from '../support/engines.ts'
import { adminKey } from '../support/gateway.ts'
import { startLimited } from '../support/limited.ts'
import { createMigratedDatabase } from '../support/services.ts'
import { type ListOf, parseCsv, pick, type Row, walk } from '../support/usage-reports.ts'

const idOf = (key: string) => key.slice(8, 24)

test('what limits refuse is counted by the minute, key and limit, and told to whom it may be told', async t => {
  const databaseUrl = await createMigratedDatabase(t)
  const world = await startLimited(t, {
    databaseUrl,
    tiers: { free: { limits: { requestsPerDay: 2 } }, none: { limits: { tokensPerMinute: 1 } } },
    behaviour: llamaServer({ chat: errorAnswer(400, { error: { message: 'no' } }) }),
  })
  const { gateway } = world
  const admin = adminOf(gateway)
  const shop = await world.caller({ tier: 'free' })
  const desk = await world.caller({ account: shop.account, keyLimits: { requests_per_minute: 0 } })
  const other = await world.caller({ tier: 'none' })
  // Refused are three of five, all of these, and what no wait helps.
  for (let n = 0; n < 5; n += 1) assert.equal((await shop.chat()).status, n < 2 ? 400 : 429)
  for (let n = 0; n < 4; n += 1) assert.equal((await desk.chat()).status, 429)
  assert.equal((await other.chat()).status, 429)
  // Not by a limit.
  assert.equal((await shop.chat({ model: 'none' })).status, 404)
  const sums = async (query: string) =>
    (await admin.get<ListOf<Row>>('GET', `/usage/denials?granularity=none&${query}`)).data
  assert.deepEqual(await sums(''), [])
  await gateway.app.denials.flush()

  await t.test('to administrators', async () => {
    assert.deepEqual(await sums(''), [{ object: 'denials', period: null, denials: 8 }])
    const byKey = await sums(`account=${encodeURIComponent(shop.account)}&group_by=key,limit_name,of`)
    const expected = [
      [idOf(shop.key), 'requests_per_day', 'account', 3],
      [idOf(desk.key), 'requests_per_minute', 'key', 4],
    ]
    assert.deepEqual(
      new Set(pick(byKey, 'key', 'limit_name', 'of', 'denials').map(String)),
      new Set(expected.map(String)),
    )
    assert.deepEqual(pick(await sums('group_by=tier'), 'tier', 'denials'), [
      ['free', 7],
      ['none', 1],
    ])
    assert.deepEqual(pick(await sums('limit_name=tokens_per_minute'), 'denials'), [[1]])
    const [minute] = (await admin.get<ListOf<Row>>('GET', '/usage/denials?granularity=minute&limit=1')).data
    assert.match(String(minute?.['period']), /T\d\d:\d\d:00\.000Z$/)
    const groups = '/usage/denials?granularity=none&group_by=account,key,limit_name'
    assert.deepEqual(await walk(admin, groups, 1), await walk(admin, groups, 100))
    const csv = await gateway.fetch(`${gateway.url}/admin/usage/denials?granularity=none&group_by=tier`, {
      headers: { authorization: `Bearer ${adminKey}`, accept: 'text/csv' },
    })
    assert.deepEqual(parseCsv(await csv.text()), [
      ['tier', 'denials'],
      ['free', '7'],
      ['none', '1'],
    ])
  })

  await t.test('to callers their own', async () => {
    const own = async (key: string, query = '') =>
      await gateway.fetch(`${gateway.url}/v1/usage/denials?granularity=none&${query}`, {
        headers: { authorization: `Bearer ${key}` },
      })
    const rows = async (key: string, query = '') => ((await (await own(key, query)).json()) as ListOf<Row>).data
    assert.deepEqual(pick(await rows(desk.key, 'group_by=limit_name'), 'limit_name', 'denials'), [
      ['requests_per_minute', 4],
    ])
    assert.deepEqual(pick(await rows(shop.key), 'denials'), [[3]])
    assert.equal((await own(shop.key, `key=${idOf(desk.key)}`)).status, 403)
    assertRefused(await adminOf(gateway, shop.key).ask('GET', '/usage/denials'), 403)
  })

  await t.test('and what is asked wrongly is said', async () => {
    const ask = async (query: string) => await admin.ask('GET', `/usage/denials?${query}`)
    assertRefused(await ask('from=2026-01-01T00:00:30Z'), 400, 'from', /beginning of a minute/)
    assertRefused(await ask('from=2026-01-01T00:00:00.000001Z'), 400, 'from', /beginning of a minute/)
    assertRefused(await ask('group_by=tier,tier'), 400, 'group_by', /twice/)
    assertRefused(await ask('group_by=model'), 400, 'group_by')
    assertRefused(await ask('limit_name=none'), 400, 'limit_name')
    assertRefused(await ask('cursor=bm9uZQ'), 400, 'cursor')
    assertRefused(await ask('granularity=month'), 400, 'granularity')
  })

  await t.test('a stop writes what has not been written', async () => {
    await desk.chat()
    await gateway.app.close()
    const sql = postgres(databaseUrl, { max: 1 })
    const [row] = await sql<{ sum: string }[]>`select sum(denials)::text as sum from usage_denials`
    await sql.end()
    assert.equal(row?.sum, '9')
  })
})
