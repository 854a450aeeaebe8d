import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adminOf, assertRefused } from '../support/admin.ts'
import { april, buildBilling, hostile, march } from '../support/billing-world.ts'
import { makeKey } from '../support/keys.ts'
import { parseCsv } from '../support/usage-reports.ts'

test('invoices as tables and as pages to be printed, for administrators alone', async t => {
  const { gateway, admin, acme, evil, priced, use, as } = await buildBilling(t)
  await use(
    { atMs: march, ...priced('timed', 0), costNanoUsd: 2_501_250 },
    { atMs: march, model: 'gratis', priceVersion: null, costNanoUsd: 0 },
    { atMs: march, accountId: evil, model: hostile, priceVersion: 'forgotten', costNanoUsd: 7 },
  )
  await admin.get('POST', '/billing/months/2026-03/close')
  await use(
    { atMs: march, ...priced('small', 0), costNanoUsd: 24_001 },
    { atMs: april, ...priced('small', 1), costNanoUsd: 36_000 },
  )
  const reason = 'An <b>outage</b>'
  await admin.get('POST', '/billing/credits', { account: acme, amount_usd: '0.5', reason })
  await admin.get('POST', '/billing/months/2026-04/close')

  await t.test('a table has a line beside its invoice', async () => {
    const answer = await as('text/csv', 'month=2026-04')
    const [names = [], ...rows] = parseCsv(await answer.text())
    const column = (name: string) => rows.map(row => row[names.indexOf(name)])
    assert.deepEqual(column('invoice_number'), ['2026-04-000001', '2026-04-000001', '2026-04-000001'])
    assert.deepEqual(column('kind'), ['late_usage', 'usage', 'credit'])
    // Numbers, not text with an apostrophe.
    assert.deepEqual(column('amount'), ['0.000024001', '0.000036', '-0.5'])
    const page = await as('text/csv', 'month=2026-03&limit=2')
    assert.ok(page.headers.get('x-next-cursor'))
    const other = parseCsv(await (await as('text/csv', `month=2026-03&account=${evil}`)).text())
    assert.equal(other[1]?.[other[0]?.indexOf('model') ?? 0], `'${hostile}`)
  })

  await t.test('a page to be printed runs nothing, loads nothing and takes all names for text', async () => {
    const answer = await as('text/html', `month=2026-03&account=${evil}`)
    assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    assert.match(
      answer.headers.get('content-security-policy') ?? '',
      /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'/,
    )
    const text = await answer.text()
    assert.doesNotMatch(text, /<script|<img|<link|<a |src=|href=|url\(|@import|\son\w+=/i)
    const escaped = hostile.replace(/[&<>"'`]/g, character => `&#${character.charCodeAt(0)};`)
    assert.equal(text.split(escaped).length, 3, 'account and model')
    assert.match(text, /<h1>Invoice 2026-03-000002<\/h1>|<h1>Invoice 2026-03-000001<\/h1>/)
    assert.match(text, /@media print/)
    assert.match(text, /each of them rounded once/)
    const credited = await (await as('text/html', `month=2026-04&account=${acme}`)).text()
    assert.match(credited, /Late usage of 2026-03/)
    assert.match(credited, /An &#60;b&#62;outage&#60;\/b&#62;/)
    assert.match(credited, /<td class="number">-0\.499939999<\/td>/)
    const unpriced = await (await as('text/html', `month=2026-03&account=${acme}`)).text()
    assert.match(unpriced, /billed with 0: 1 request\./)
    assert.match(unpriced, /0\.250125 s of a backend<br><\/td><td class="number">0\.01/)
  })

  await t.test('what cannot be asked or given is refused, and to whom', async () => {
    const cursorOf = (place: readonly unknown[]) => Buffer.from(JSON.stringify(place)).toString('base64url')
    const refusals = [
      ['text/html', 'month=2026-03', 400, /say whose/],
      ['text/html', 'month=2026-07&account=default', 404, /nothing was used/],
      ['text/html', 'month=2026-03&account=default&cursor=x', 400, /leave out cursor/],
      ['text/csv', 'month=2026-03&account=nobody', 404, /no account/],
      ['text/csv', `month=2026-03&account=${crypto.randomUUID()}`, 404, /no account/],
      ['text/csv', '', 400, /month/],
      ['*/*', 'month=2026-3', 400, /2026-11/],
      ['*/*', 'month=2026-03&limit=1001', 400, /limit/],
      ['*/*', 'month=2026-03&cursor=WzFd', 400, /cursor/],
      ['*/*', `month=2026-03&cursor=${cursorOf([acme, acme, -1e14, 'a', 'b'])}`, 400, /cursor/],
      ['*/*', `month=2026-03&cursor=${cursorOf([acme, acme, 1, 'a\0', 'b'])}`, 400, /cursor/],
      ['*/*', `month=2026-03&cursor=${cursorOf([acme, 'all', 1, 'a', 'b'])}`, 400, /cursor/],
    ] as const
    for (const [accept, query, status, message] of refusals) {
      const answer = await as(accept, query)
      assert.equal(answer.status, status, query)
      assert.match(await answer.text(), message)
    }
    const credit = { account: acme, amount_usd: '1', reason: 'x' }
    for (const [changes, param] of [
      [{ amount_usd: '0' }, 'amount_usd'],
      [{ amount_usd: '0.0000000001' }, 'amount_usd'],
      [{ amount_usd: '-1' }, 'amount_usd'],
      [{ amount_usd: '9000001' }, 'amount_usd'],
      [{ amount_usd: 1 }, 'amount_usd'],
      [{ reason: '' }, 'reason'],
      [{ reason: ' ' }, 'reason'],
      [{ reason: 'a\nb' }, 'reason'],
      [{ month: '2026-00' }, 'month'],
      [{ month: '2019-12' }, 'month'],
    ] as const)
      assertRefused(await admin.ask('POST', '/billing/credits', { ...credit, ...changes }), 400, param)
    assertRefused(await admin.ask('POST', '/billing/credits', { ...credit, account: 'nobody' }), 404, 'account')

    // One of the same account as an administrator's key, but narrower; and an ordinary one.
    const narrowed = await makeKey(gateway.app, { account: 'office', tier: 'enterprise', scopes: ['usage', 'models'] })
    const ordinary = await makeKey(gateway.app, { account: 'customer' })
    for (const key of [narrowed, ordinary]) {
      const caller = adminOf(gateway, key)
      assertRefused(await caller.ask('GET', '/billing/invoices?month=2026-03'), 403)
      assertRefused(await caller.ask('POST', '/billing/months/2026-03/close'), 403)
      assertRefused(await caller.ask('POST', '/billing/credits', credit), 403)
      assertRefused(await caller.ask('GET', '/billing/credits'), 403)
    }
    assertRefused(await adminOf(gateway, 'sk-weir-none').ask('GET', '/billing/invoices?month=2026-03'), 401)
  })
})
