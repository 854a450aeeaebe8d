import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { type ErrorDetails, type ErrorName, errorCatalogue, WeirError } from '../../../src/errors.ts'
import { type ErrorRow, hello, refusal } from '../../support/api-error.ts'
import { buildGateway, type Gateway } from '../../support/gateway.ts'
import { startScriptedBackend } from '../../support/scripted-backend.ts'

/** A gateway with a route that throws what it is told to, and the number of requests that the route has had. */
async function buildThrowing(t: TestContext, error: () => Error) {
  const backend = await startScriptedBackend(t)
  let requests = 0
  const gateway = await buildGateway(t, {
    env: { WEIR_BACKEND_URL: backend.url },
    prepare: app => {
      app.post('/throwing/chat/completions', { config: { scope: 'public' }, schema: { hide: true } }, async () => {
        requests += 1
        throw error()
      })
    },
  })
  const openai = gateway.openai.withOptions({ baseURL: `${gateway.url}/throwing` })
  return { gateway, openai, count: () => requests }
}

const limited = { 'retry-after': '1', 'retry-after-ms': '250' }
const rows: readonly { readonly kind: ErrorName; readonly details?: ErrorDetails; readonly row: ErrorRow }[] = [
  {
    kind: 'requestLimitExceeded',
    details: { retryAfterMs: 250 },
    row: { status: 429, type: 'requests', code: 'rate_limit_exceeded', retry: limited },
  },
  {
    kind: 'tokenLimitExceeded',
    details: { retryAfterMs: 250 },
    row: { status: 429, type: 'tokens', code: 'rate_limit_exceeded', retry: limited },
  },
  {
    kind: 'largerThanLimit',
    details: { retryAfterMs: 250, param: 'messages' },
    row: {
      status: 429,
      type: 'tokens',
      code: 'rate_limit_exceeded',
      param: 'messages',
      retry: { ...limited, 'x-should-retry': 'false' },
    },
  },
  {
    kind: 'insufficientQuota',
    details: { retryAfterMs: 3_600_000 },
    row: {
      status: 429,
      type: 'insufficient_quota',
      code: 'insufficient_quota',
      retry: { 'retry-after': '3600', 'retry-after-ms': '3600000', 'x-should-retry': 'false' },
    },
  },
  {
    kind: 'ledgerUnavailable',
    details: { retryAfterMs: 1 },
    row: {
      status: 503,
      type: 'service_unavailable_error',
      code: 'ledger_unavailable',
      retry: { 'retry-after': '1', 'retry-after-ms': '1' },
    },
  },
  {
    kind: 'overloaded',
    details: { retryAfterMs: 60_001 },
    row: {
      status: 503,
      type: 'service_unavailable_error',
      code: 'server_is_overloaded',
      retry: { 'retry-after': '61', 'retry-after-ms': '60001', 'x-should-retry': 'false' },
    },
  },
  {
    kind: 'overloaded',
    details: { retryAfterMs: 500, shouldRetry: false },
    row: {
      status: 503,
      type: 'service_unavailable_error',
      code: 'server_is_overloaded',
      retry: { 'retry-after': '1', 'retry-after-ms': '500', 'x-should-retry': 'false' },
    },
  },
  {
    kind: 'upstreamError',
    details: { shouldRetry: false },
    row: { status: 502, type: 'server_error', code: 'upstream_error', retry: { 'x-should-retry': 'false' } },
  },
  {
    kind: 'authUnavailable',
    row: {
      status: 503,
      type: 'service_unavailable_error',
      code: 'auth_unavailable',
      retry: { 'retry-after': '1', 'retry-after-ms': '1000' },
    },
  },
]

test('errors that later parts throw reach the SDK as the contract says', async t => {
  let error = new Error('none yet')
  const { openai } = await buildThrowing(t, () => error)
  for (const { kind, details, row } of rows) {
    error = new WeirError(kind, `This is ${kind}.`, details)
    await t.test(`${row.status} ${row.code} ${JSON.stringify(details ?? {})}`, async () => {
      const found = await refusal(openai.chat.completions.create(hello), { ...row, message: /^This is / })
      assert.equal(found.message, `${row.status} This is ${kind}.`)
    })
  }
})

test('an SDK tries again twice where that is of use and never where it is not', async t => {
  const again: readonly [ErrorName, ErrorDetails][] = [
    ['requestLimitExceeded', { retryAfterMs: 1 }],
    ['tokenLimitExceeded', { retryAfterMs: 1 }],
    ['overloaded', { retryAfterMs: 1 }],
    ['authUnavailable', { retryAfterMs: 1 }],
    ['storeUnavailable', { retryAfterMs: 1 }],
    ['ledgerUnavailable', { retryAfterMs: 1 }],
    // Without a time to wait the SDK takes its own, 1.5 s in all.
    ['internal', {}],
    ['upstreamError', {}],
    ['upstreamTimeout', {}],
  ]
  const once: readonly [ErrorName, ErrorDetails][] = [
    ['insufficientQuota', { retryAfterMs: 1 }],
    ['largerThanLimit', { retryAfterMs: 1 }],
    ['overloaded', { retryAfterMs: 1, shouldRetry: false }],
    ['overloaded', { retryAfterMs: 90_000 }],
    ['upstreamError', { shouldRetry: false }],
    ['invalidRequest', {}],
    ['contextLengthExceeded', {}],
    ['invalidApiKey', {}],
    ['insufficientPermissions', {}],
    ['modelNotFound', {}],
    ['resourceNotFound', {}],
    ['methodNotAllowed', {}],
    // Of itself an SDK would try again: it takes a conflict for one of two at once.
    ['conflict', {}],
    ['requestTooLarge', {}],
    ['unsupportedMediaType', {}],
  ]
  const countOf = async (gateway: Gateway, [kind, details]: readonly [ErrorName, ErrorDetails]) => {
    let requests = 0
    const path = `/counted-${Math.random()}`
    const counting = gateway.openai.withOptions({
      baseURL: gateway.url + path,
      maxRetries: 2,
      fetch: (...args) => {
        requests += 1
        return gateway.fetch(...args)
      },
    })
    const headers = { 'x-kind': kind, 'x-details': JSON.stringify(details) }
    await assert.rejects(counting.chat.completions.create(hello, { headers }), { status: errorCatalogue[kind].status })
    return requests
  }
  const backend = await startScriptedBackend(t)
  const gateway = await buildGateway(t, {
    env: { WEIR_BACKEND_URL: backend.url },
    prepare: app => {
      app.post('/:counted/chat/completions', { config: { scope: 'public' }, schema: { hide: true } }, async request => {
        const { 'x-kind': kind, 'x-details': details } = request.headers
        throw new WeirError(kind as ErrorName, 'Thrown.', JSON.parse(String(details)))
      })
    },
  })
  const all = [...again, ...once]
  const counts = await Promise.all(all.map(entry => countOf(gateway, entry)))
  assert.deepEqual(
    all.map(([kind, details], i) => [kind, details, counts[i]]),
    [...again.map(([kind, details]) => [kind, details, 3]), ...once.map(([kind, details]) => [kind, details, 1])],
  )
})

test('500: what really happened goes to the log and not to the caller', async t => {
  const { openai, gateway } = await buildThrowing(t, () =>
    Object.assign(new Error('secret of /srv/weir/x.ts'), { statusCode: 200, code: 'ESECRET' }),
  )
  const error = await refusal(openai.chat.completions.create(hello), {
    status: 500,
    type: 'server_error',
    code: 'internal_error',
  })
  assert.doesNotMatch(JSON.stringify(error.error), /secret|srv|\.ts|stack/i)
  const line = gateway.logLines.find(entry => JSON.stringify(entry).includes('secret of'))
  assert.equal(line?.['reqId'], error.requestID)
})

test('what is thrown without being an Error is our fault as well', async t => {
  const { openai } = await buildThrowing(t, () => 'a secret text' as unknown as Error)
  const error = await refusal(openai.chat.completions.create(hello), {
    status: 500,
    type: 'server_error',
    code: 'internal_error',
  })
  assert.doesNotMatch(JSON.stringify(error.error), /secret/)
})

test('the document lists every status that an inference request can be answered with', async t => {
  const backend = await startScriptedBackend(t)
  const { app } = await buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url } })
  const { paths } = app.swagger()
  for (const path of ['/v1/chat/completions', '/v1/completions', '/v1/embeddings']) {
    const documented = Object.keys(paths?.[path]?.post?.responses ?? {}).map(Number)
    // 405 is the answer to another method, which is no operation of the document; 409 and 422 are the admin API's.
    const possible = Object.values(errorCatalogue).map(({ status }) => status)
    assert.deepEqual(
      [...new Set(possible)].filter(status => !documented.includes(status)),
      [405, 409, 422],
      path,
    )
  }
})
