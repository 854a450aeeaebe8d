import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf, assertRefused, noBackend } from '../support/admin.ts'
import { adminKey, buildGateway, type Gateway } from '../support/gateway.ts'
import { makeUsageEvent } from '../support/usage.ts'
import { type ListOf, parseCsv, pick, type Row, untilStored, walk } from '../support/usage-reports.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000
const start = Date.parse('2026-02-27T00:00:00Z')
const first = crypto.randomUUID()
const second = crypto.randomUUID()

/** Four days over the end of a month, three hours of each, of all that can be told apart; nobody's names sort alike. */
const events = Array.from({ length: 4 * 3 * 8 }, (_, index) =>
  makeUsageEvent({
    atMs: start + (index % 4) * dayMs + (Math.floor(index / 4) % 3) * 11 * hourMs + (index % 3) * 1000,
    accountId: index % 2 === 0 ? first : second,
    keyId: [null, 'A'.repeat(16), 'b'.repeat(16)][Math.floor(index / 5) % 3] ?? null,
    model: ['small', 'Zoo', 'ärger', '"a"\\,b'][Math.floor(index / 3) % 4] ?? '',
    backend: index % 7 === 0 ? null : 'one',
    status: index % 7 === 0 ? 'error' : 'ok',
    inputTokens: index,
    costNanoUsd: 2 ** 52 + index,
  }),
)
const range = 'from=2026-02-27&to=2026-03-03'

const total = (rows: readonly Row[], name: string) => rows.reduce((sum, row) => sum + Number(row[name]), 0)
const csvOf = async ({ fetch, url }: Gateway, path: string) =>
  await fetch(`${url}/admin${path}`, { headers: { authorization: `Bearer ${adminKey}`, accept: 'text/csv' } })

test('pages of what was used', async t => {
  const gateway = await buildGateway(t, { env: noBackend })
  const admin = adminOf(gateway)
  for (const event of events) gateway.app.ledger.record(event)
  await untilStored(gateway, admin, events.length)

  const groups = ['account,key,model,tier,backend,experiment,arm,endpoint,status', 'key', 'model,backend', '']
  for (const granularity of ['hour', 'day', 'month', 'none']) {
    await t.test(`by ${granularity}: whatever the size of a page, nothing is missing and nothing twice`, async () => {
      for (const group of groups) {
        const path = `/usage?${range}&granularity=${granularity}${group && `&group_by=${group}`}`
        const whole = await admin.get<ListOf<Row>>('GET', `${path}&limit=1000`)
        assert.equal(whole.has_more, false)
        assert.equal(total(whole.data, 'requests'), events.length)
        assert.equal(total(whole.data, 'input_tokens'), total(events as never, 'inputTokens'))
        const names = ['period', ...group.split(',')]
        const places = pick(whole.data, ...names).map(place => JSON.stringify(place))
        assert.equal(new Set(places).size, places.length)
        for (const limit of group === 'key' ? [1, 2] : [11])
          assert.deepEqual(await walk(admin, path, limit), whole.data, `${path} by ${limit}`)
      }
    })
  }

  await t.test('periods begin where they do, and parts of them are parts', async () => {
    const periods = async (query: string) =>
      pick((await admin.get<ListOf<Row>>('GET', `/usage?${query}`)).data, 'period', 'requests').map(String)
    assert.deepEqual(await periods(`${range}&granularity=month`), [
      '2026-02-01T00:00:00.000Z,48',
      '2026-03-01T00:00:00.000Z,48',
    ])
    assert.deepEqual(await periods('from=2026-02-27T11:00Z&to=2026-02-28T01:00:00Z'), [
      '2026-02-27T00:00:00.000Z,16',
      '2026-02-28T00:00:00.000Z,8',
    ])
    assert.deepEqual(await periods('from=2026-02-27T11:00Z&to=2026-02-27T22:00Z&granularity=hour'), [
      '2026-02-27T11:00:00.000Z,8',
    ])
    assert.deepEqual(await periods('from=2026-02-27T12:00Z&to=2026-02-27T22:00Z'), [])
  })

  await t.test('money is exact where no number is', async () => {
    const { data } = await admin.get<ListOf<Row>>('GET', `/usage?${range}&granularity=none`)
    const nanoUsd = events.reduce((sum, { costNanoUsd }) => sum + BigInt(costNanoUsd), 0n)
    assert.ok(nanoUsd > BigInt(Number.MAX_SAFE_INTEGER))
    assert.equal(
      data[0]?.['cost'],
      `${nanoUsd / 10n ** 9n}.${String(nanoUsd % 10n ** 9n).padStart(9, '0')}`.replace(/0+$/, ''),
    )
  })

  await t.test('events, by pages of any size', async () => {
    const ids = events.toSorted((a, b) => (a.id < b.id ? 1 : -1)).map(({ id }) => id)
    for (const limit of [13, 1000])
      assert.deepEqual(pick(await walk<Row>(admin, `/usage/events?${range}`, limit), 'id').flat(), ids)
    const some = ids.filter(id => events.find(event => event.id === id)?.keyId?.startsWith('A'))
    const path = `/usage/events?${range}&key=${'A'.repeat(16)}`
    assert.deepEqual(pick(await walk<Row>(admin, path, 1), 'id').flat(), some)
  })

  await t.test('tables come in pages too', async () => {
    for (const path of [`/usage?${range}&group_by=model,status&granularity=hour`, `/usage/events?${range}`]) {
      const rows = await walk<Row>(admin, path, 1000)
      const seen: string[][] = []
      let names: string[] = []
      for (let cursor: string | null = ''; cursor !== null; ) {
        const answer = await csvOf(gateway, `${path}&limit=20${cursor && `&cursor=${cursor}`}`)
        const [head = [], ...lines] = parseCsv(await answer.text())
        names = head
        seen.push(...lines)
        cursor = answer.headers.get('x-next-cursor')
      }
      const text = (value: unknown) =>
        typeof value === 'object' && value !== null ? JSON.stringify(value) : (value ?? '')
      assert.deepEqual(
        seen,
        rows.map(row => names.map(name => String(text(row[name])))),
      )
      assert.ok(seen.length > 20 && ['model', 'status', 'cost'].every(name => names.includes(name)))
    }
  })

  await t.test('a page goes on from where its list began, on whatever day it is asked for', async t => {
    const recent = Date.parse('2026-03-31T12:00:00Z')
    t.mock.timers.enable({ apis: ['Date'], now: recent })
    for (const path of ['/usage?granularity=none&group_by=model', '/usage/events?status=ok']) {
      const whole = await admin.get<ListOf<Row>>('GET', path)
      assert.ok(whole.data.length > 1)
      const page = await admin.get<ListOf<Row>>('GET', `${path}&limit=1`)
      t.mock.timers.setTime(recent + dayMs)
      const rest = await admin.get<ListOf<Row>>('GET', `${path}&cursor=${page.next_cursor}`)
      assert.deepEqual([...page.data, ...rest.data], whole.data)
      t.mock.timers.setTime(recent)
    }
  })

  await t.test('what cannot be asked is refused, and says what can be', async () => {
    const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    // Of the year 10889.
    const lateCursor = Buffer.from('ffffffff-ffff-7fff-bfff-ffffffffffff 0').toString('base64url')
    const wrong: [string, string, RegExp][] = [
      ['/usage?from=2026-02-30', 'from', /not a time that there is/],
      ['/usage?from=yesterday', 'from', /2030-01-31T15:00:00Z/],
      ['/usage?from=2026-02-27T00:00:00%2B01:00', 'from', /in UTC/],
      ['/usage?from=2026-02-27T11:30Z', 'from', /beginning of an hour, such as 2026-02-27T11:00:00.000Z/],
      ['/usage?from=2026-02-27&to=2026-02-27T00:59:59Z', 'to', /beginning of an hour/],
      ['/usage?from=2026-02-27T11:00:00.001Z', 'from', /beginning of an hour, such as 2026-02-27T11:00:00.000Z/],
      ['/usage?from=2026-02-27T11:00:00.000001Z', 'from', /beginning of an hour, such as 2026-02-27T11:00:00.000Z/],
      ['/usage?from=2026-02-27&to=2026-02-27T11:00:00.00001Z', 'to', /beginning of an hour/],
      ['/usage?from=2026-02-27&to=2026-02-27', 'to', /later 'to'/],
      ['/usage?to=2026-02-27', 'to', /send a 'from' before it/],
      ['/usage/events?from=2026-02-28&to=2026-02-27', 'to', /later 'to'/],
      ['/usage?granularity=week', 'granularity', /'hour', 'day', 'month' or 'none'/],
      ['/usage?group_by=model,colour', 'group_by', /account, key, model/],
      ['/usage?group_by=model,model', 'group_by', /twice/],
      ['/usage?groupby=model', 'groupby', /not a known field/],
      ['/usage/events?group_by=model', 'group_by', /not a known field/],
      ['/usage?status=fine', 'status', /client_cancel/],
      ['/usage?limit=1001', 'limit', /at most 1000/],
      ['/usage/events?limit=0', 'limit', /at least 1/],
      ['/usage/events?cursor=x', 'cursor', /a page before/],
      [`/usage/events?cursor=${lateCursor}`, 'cursor', /a page before/],
      [`/usage?cursor=${cursorOf([0, 0, ['small']])}`, 'cursor', /a page before/],
      [`/usage?cursor=${cursorOf([0, 1, []])}`, 'cursor', /a page before/],
      [`/usage?cursor=${cursorOf([0, null, []])}`, 'cursor', /a page before/],
      [`/usage?group_by=account&cursor=${cursorOf([0, 0, ['x']])}`, 'cursor', /a page before/],
      [`/usage?group_by=model&cursor=${cursorOf([0, 0, ['\0']])}`, 'cursor', /a page before/],
      [`/usage?cursor=${cursorOf([1e300, 0, []])}`, 'cursor', /a page before/],
    ]
    for (const [path, param, message] of wrong) assertRefused(await admin.ask('GET', path), 400, param, message)
    assertRefused(await admin.ask('GET', '/usage?account=nobody'), 404, 'account', /nobody/)
    assertRefused(await admin.ask('GET', '/usage/events?account=nobody'), 404, 'account')
    const ends = await admin.ask('GET', '/usage/events?from=2026-02-27T11:30:00.5Z&to=2026-02-27T11:30:00.6Z')
    assert.deepEqual(ends.body['data'], [])
  })
})
