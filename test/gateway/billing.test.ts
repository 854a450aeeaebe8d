import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InvoiceLineView, ListedMonthView } from '../../src/schemas/admin/billing.ts'
import { assertRefused } from '../support/admin.ts'
import { april, buildBilling, march } from '../support/billing-world.ts'
import type { ListOf } from '../support/usage-reports.ts'

const cells = (lines: readonly InvoiceLineView[], ...names: readonly (keyof InvoiceLineView)[]) =>
  lines.map(line => names.map(name => line[name]))

test('a month is billed by model and price, closed, and corrected by what comes after it', async t => {
  const { admin, acme, evil, priced, use, invoices } = await buildBilling(t)
  await use(
    { atMs: march, ...priced('small', 0), costNanoUsd: 24_001 },
    { atMs: march + 1, ...priced('small', 0), costNanoUsd: 24_001, isEstimate: true },
    { atMs: Date.parse('2026-03-20'), ...priced('small', 1), costNanoUsd: 36_000 },
    { atMs: march, ...priced('timed', 0), costNanoUsd: 2_501_250 },
    { atMs: march, model: 'gratis', priceVersion: null, costNanoUsd: 0 },
    { atMs: march, accountId: evil, priceVersion: 'forgotten', costNanoUsd: 7 },
  )

  await t.test('a draft is what has been used so far', async () => {
    const { data } = await invoices('month=2026-03&account=acme')
    const [draft] = data
    assert.equal(data.length, 1)
    const { lines = [], ...head } = draft ?? {}
    assert.deepEqual(head, {
      object: 'invoice',
      number: null,
      month: '2026-03',
      status: 'draft',
      closed_at: null,
      account: acme,
      account_name: 'acme',
      currency: 'USD',
      total: '0.002585252',
      unpriced_requests: 1,
      line_count: 4,
    })
    assert.deepEqual(lines[0], {
      object: 'invoice_line',
      kind: 'usage',
      month: '2026-03',
      model: 'gratis',
      price_version: null,
      unpriced: true,
      requests: 1,
      estimated_requests: 0,
      uncached_input_tokens: 60,
      cached_input_tokens: 40,
      output_tokens: 20,
      backend_seconds: '0.250125',
      input_price: null,
      cached_input_price: null,
      output_price: null,
      second_price: null,
      amount: '0',
      credit: null,
      reason: null,
    })
    assert.deepEqual(cells(lines.slice(1), 'model', 'requests', 'input_price', 'cached_input_price', 'output_price'), [
      ['small', 2, '0.15', '0.075', '0.6'],
      ['small', 1, '0.2', '0.2', '0.8'],
      ['timed', 1, null, null, null],
    ])
    assert.deepEqual(cells(lines.slice(1), 'estimated_requests', 'second_price', 'amount', 'unpriced'), [
      [1, null, '0.000048002', false],
      [0, null, '0.000036', false],
      [0, '0.01', '0.00250125', false],
    ])
  })

  await t.test('pages are of lines, and an invoice goes on where the page before has ended', async () => {
    const whole = await invoices('month=2026-03')
    assert.deepEqual(new Set(whole.data.map(({ account }) => account)), new Set([acme, evil]))
    const lines: InvoiceLineView[] = []
    for (let cursor = ''; ; ) {
      const page = await invoices(`month=2026-03&limit=2${cursor}`)
      assert.ok(page.data.flatMap(invoice => invoice.lines).length <= 2)
      for (const { lines: some, ...head } of page.data) {
        lines.push(...some)
        const same = whole.data.find(({ account }) => account === head.account)
        assert.deepEqual({ ...head, lines: same?.lines }, same)
      }
      if (page.next_cursor === null) break
      cursor = `&cursor=${page.next_cursor}`
    }
    assert.deepEqual(
      lines,
      whole.data.flatMap(invoice => invoice.lines),
    )
    assert.deepEqual((await invoices('month=2026-02')).data, [])
  })

  await t.test('a month is closed when it is over, in order and once', async () => {
    assertRefused(await admin.ask('POST', '/billing/months/9000-01/close'), 409, 'month', /not over: .*9000-02-01T/)
    assertRefused(await admin.ask('POST', '/billing/months/2026-04/close'), 409, 'month', /close 2026-03 first/)
    assertRefused(await admin.ask('POST', '/billing/months/2026-02/close'), 409, 'month', /nothing was used .*2026-03/)
    assertRefused(await admin.ask('POST', '/billing/months/2026-13/close'), 400, 'month', /2026-11/)
    assertRefused(await admin.ask('POST', '/billing/months/1999-12/close'), 400, 'month', /2020-01/)
    const closings = await Promise.all([1, 2, 3].map(() => admin.get('POST', '/billing/months/2026-03/close')))
    const { closed_at, ...closed } = closings[0] ?? {}
    assert.deepEqual(closed, {
      object: 'billing_month',
      month: '2026-03',
      status: 'closed',
      invoices: 2,
      lines: 5,
      currency: 'USD',
      total: '0.002585259',
    })
    for (const other of closings) assert.deepEqual(other, closings[0])
    assert.deepEqual(await admin.get('POST', '/billing/months/2026-03/close'), closings[0])
    const { data } = await admin.get<ListOf<object>>('GET', '/audit?action=billing_month.close')
    assert.equal(data.length, 1)
    const numbers = (await invoices('month=2026-03')).data.map(({ number, closed_at: at }) => [number, at])
    assert.deepEqual(numbers, [
      ['2026-03-000001', closed_at],
      ['2026-03-000002', closed_at],
    ])
  })

  await t.test('what comes late and what is given back is on the next invoice, and the closed one stays', async () => {
    const before = await invoices('month=2026-03')
    await use(
      { atMs: march, ...priced('small', 0), costNanoUsd: 24_001 },
      { atMs: april, ...priced('small', 1), costNanoUsd: 36_000 },
    )
    await admin.get('PATCH', '/accounts/acme', { name: 'acme & sons' })
    const body = { account: acme, amount_usd: '0.5', reason: `An <b>outage</b>`, month: '2026-03' }
    const headers = { 'idempotency-key': 'once' }
    const made = await admin.ask('POST', '/billing/credits', body, headers)
    assert.equal(made.status, 201)
    const again = await admin.ask('POST', '/billing/credits', body, headers)
    assert.deepEqual([again.status, again.headers.get('idempotent-replayed'), again.body], [200, 'true', made.body])
    assertRefused(
      await admin.ask('POST', '/billing/credits', { ...body, amount_usd: '0.6' }, headers),
      409,
      'idempotency-key',
    )
    const ahead = { ...body, month: '9000-01' }
    assertRefused(await admin.ask('POST', '/billing/credits', ahead), 400, 'month', /has not begun/)
    const { data: none } = await admin.get<ListOf<object>>('GET', `/billing/credits?account=${acme}`)
    assert.equal(none.length, 1, 'what is refused is not there')
    const next = async () => (await invoices('month=2026-04')).data
    const [draft] = await next()
    assert.deepEqual(cells(draft?.lines ?? [], 'kind', 'month', 'requests', 'amount', 'reason'), [
      ['late_usage', '2026-03', 1, '0.000024001', null],
      ['usage', '2026-04', 1, '0.000036', null],
      ['credit', '2026-03', 0, '-0.5', body.reason],
    ])
    assert.deepEqual([draft?.total, draft?.account_name], ['-0.499939999', 'acme & sons'])
    assert.deepEqual((await invoices('month=2026-05')).data, [])
    await admin.get('POST', '/billing/months/2026-04/close')
    const [closed] = await next()
    assert.deepEqual({ ...closed, number: null, status: 'draft', closed_at: null }, draft)
    assert.deepEqual(await invoices('month=2026-03'), before)
    assert.deepEqual((await invoices('month=2026-05')).data, [])
    const { data } = await admin.get<ListOf<Record<string, unknown>>>('GET', '/billing/credits?account=acme+%26+sons')
    assert.deepEqual(data, [{ ...made.body, invoice: '2026-04-000001' }])
    const { data: audited } = await admin.get<ListOf<{ after: object }>>('GET', '/audit?target_kind=credit')
    const { invoice: _, created_at: __, ...credit } = made.body
    assert.deepEqual(
      audited.map(({ after }) => after),
      [credit],
    )
    const current = new Date().toISOString().slice(0, 7)
    const ours = { account: evil, amount_usd: '0.000000001', reason: 'This month', month: current }
    assert.equal((await admin.ask('POST', '/billing/credits', ours)).status, 201)
  })

  await t.test('months are listed with who closed them, page by page', async () => {
    const list = (query = '') => admin.get<ListOf<ListedMonthView>>('GET', `/billing/months?${query}`)
    const { data } = await list('limit=100')
    const current = new Date().toISOString().slice(0, 7)
    const [newest] = data
    assert.ok(newest && newest.month >= current)
    assert.deepEqual(
      { ...newest, month: current },
      { object: 'billing_month', month: current, status: 'open', closed_at: null, closed_by: null, invoices: null },
    )
    const [second, first] = data.slice(-2)
    const { data: invoiced } = await invoices('month=2026-03')
    assert.equal(first?.closed_by?.kind, 'admin-key')
    assert.deepEqual(
      [first?.month, first?.status, first?.closed_at, first?.invoices],
      ['2026-03', 'closed', invoiced[0]?.closed_at, 2],
    )
    assert.deepEqual([second?.month, second?.status, second?.invoices], ['2026-04', 'closed', 1])
    const pages: ListedMonthView[] = []
    for (let cursor = ''; ; ) {
      const page = await list(`limit=3${cursor}`)
      assert.ok(page.data.length <= 3)
      pages.push(...page.data)
      if (page.next_cursor === null) break
      cursor = `&cursor=${page.next_cursor}`
    }
    assert.deepEqual(pages, data)
    assertRefused(await admin.ask('GET', '/billing/months?cursor=x'), 400, 'cursor', /a page before/)
    assertRefused(await admin.ask('GET', '/billing/months?limit=0'), 400, 'limit')
  })
})
