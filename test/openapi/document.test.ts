import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { limitExamples } from '../../src/schemas/limit-examples.ts'
import { buildGateway } from '../support/gateway.ts'
import { startScriptedBackend } from '../support/scripted-backend.ts'
import { makeTempDir } from '../support/temp-dir.ts'

async function build(t: TestContext) {
  const backend = await startScriptedBackend(t)
  return buildGateway(t, { env: { WEIR_BACKEND_URL: backend.url } })
}

interface Operation {
  readonly operationId?: string
  readonly tags?: readonly string[]
  readonly summary?: string
  readonly security?: readonly object[]
  readonly requestBody?: { readonly content: Record<string, { schema: object; example?: object; examples?: object }> }
  readonly responses: Record<string, Response>
}

interface Response {
  readonly description: string
  readonly content?: Record<string, { schema: { $ref?: string }; examples?: Record<string, { value: object }> }>
  readonly headers?: Record<string, object>
}

interface Document {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, object>; readonly headers: Record<string, object> }
}

async function fetchDocument(t: TestContext): Promise<Document> {
  const gateway = await build(t)
  const response = await gateway.fetch(`${gateway.url}/openapi.json`)
  assert.equal(response.status, 200)
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
  return (await response.json()) as Document
}

test('the document passes every rule that redocly recommends, without a warning', async t => {
  const document = await fetchDocument(t)
  const folder = makeTempDir(t)
  const file = join(folder, 'openapi.json')
  writeFileSync(file, JSON.stringify(document))
  const manifest = createRequire(import.meta.url).resolve('@redocly/cli/package.json')
  const program = join(dirname(manifest), 'bin', 'cli.js')
  const config = new URL('./redocly.yaml', import.meta.url).pathname
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    REDOCLY_TELEMETRY: 'off',
    REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
    NO_COLOR: '1',
  }
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [program, 'lint', file, '--config', config, '--format', 'json'],
    { env, cwd: folder },
  )
  const { totals, problems } = JSON.parse(stdout)
  assert.deepEqual({ ...totals, problems }, { errors: 0, warnings: 0, ignored: 0, problems: [] })
})

test('every operation has a name, a tag, a summary, its errors and, where it needs one, a key', async t => {
  const { openapi, paths, components } = await fetchDocument(t)
  assert.match(openapi, /^3\.1\./)
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
  )
  assert.deepEqual(
    operations.map(({ name, operation }) => `${name}: ${operation.operationId}`),
    [
      'get /: getWelcome',
      'get /health: getHealth',
      'get /health/live: getLiveness',
      'get /health/ready: getReadiness',
      'get /metrics: getMetrics',
      'get /openapi.json: getOpenapiDocument',
      'post /auth/token: createToken',
      'get /admin/tiers: listTiers',
      'get /admin/tiers/{name}: retrieveTier',
      'get /admin/backends: listBackends',
      'get /admin/backends/{name}: retrieveBackend',
      'patch /admin/backends/{name}: updateBackend',
      'delete /admin/cache: forgetAnswers',
      'post /admin/config/reload: reloadConfiguration',
      'get /admin/log-level: retrieveLogLevel',
      'put /admin/log-level: updateLogLevel',
      'get /admin/experiments: listExperiments',
      'get /admin/experiments/{name}: retrieveExperiment',
      'patch /admin/experiments/{name}: updateExperiment',
      'get /admin/accounts: listAccounts',
      'post /admin/accounts: createAccount',
      'get /admin/accounts/{id}: retrieveAccount',
      'patch /admin/accounts/{id}: updateAccount',
      'delete /admin/accounts/{id}: deleteAccount',
      'post /admin/keys: createKey',
      'get /admin/keys: listKeys',
      'post /admin/keys/{id}/rotate: rotateKey',
      'get /admin/keys/{id}: retrieveKey',
      'patch /admin/keys/{id}: updateKey',
      'delete /admin/keys/{id}: revokeKey',
      'get /admin/audit: listAuditEntries',
      'get /admin/usage: listUsage',
      'get /admin/usage/events: listUsageEvents',
      'get /admin/usage/denials: listDenials',
      'get /admin/billing/invoices: listInvoices',
      'get /admin/billing/months: listBillingMonths',
      'post /admin/billing/months/{month}/close: closeBillingMonth',
      'post /admin/billing/credits: createCredit',
      'get /admin/billing/credits: listCredits',
      'get /admin/webhooks/deliveries: listWebhookDeliveries',
      'post /admin/webhooks/deliveries/{id}/retry: retryWebhookDelivery',
      'post /v1/chat/completions: createChatCompletion',
      'post /v1/completions: createCompletion',
      'post /v1/embeddings: createEmbedding',
      'get /v1/models: listModels',
      'get /v1/models/{id}: retrieveModel',
      'get /v1/usage/limits: listLimits',
      'get /v1/usage: readUsage',
      'get /v1/usage/denials: readDenials',
    ],
  )
  for (const { name, path, operation } of operations) {
    const { tags, summary, security, responses } = operation
    assert.equal(tags?.length, 1, name)
    assert.match(summary ?? '', /\S/, name)
    // The document's own security counts where the operation has none of its own.
    const needsKey = /^\/(v1|auth|admin)\//.test(path)
    assert.deepEqual(security, needsKey ? undefined : [], name)
    const needed = needsKey ? ['400', '401', '403', '431', '500', '503'] : ['400', '431', '500']
    assert.deepEqual(
      needed.filter(status => responses[status] === undefined),
      [],
      name,
    )
    for (const [status, { description, content }] of Object.entries(responses)) {
      assert.notEqual(description, 'Default Response', `${name} ${status}`)
      const isHealth = path.startsWith('/health') && status === '503'
      if (Number(status) < 400 || isHealth) continue
      // The one error that says more: each problem of weir.yaml beside it.
      const schema = path === '/admin/config/reload' && status === '422' ? 'ConfigProblems' : 'Error'
      assert.equal(content?.['application/json']?.schema.$ref, `#/components/schemas/${schema}`, `${name} ${status}`)
    }
  }
  for (const name of Object.keys(components.schemas)) assert.match(name, /^[A-Z][A-Za-z]+$/)
  assert.equal(components.schemas['ChatCompletionChunk'] === undefined, false)
})

test('streams are documented beside whole answers', async t => {
  const { paths } = await fetchDocument(t)
  for (const [path, chunk] of [
    ['/v1/chat/completions', 'ChatCompletionChunk'],
    ['/v1/completions', 'Completion'],
  ] as const) {
    const content = paths[path]?.['post']?.responses['200']?.content ?? {}
    assert.deepEqual(Object.keys(content), ['application/json', 'text/event-stream'])
    const event = content['text/event-stream']?.schema as { anyOf: object[] }
    assert.deepEqual(event.anyOf, [{ $ref: `#/components/schemas/${chunk}` }, { $ref: '#/components/schemas/Error' }])
  }
})

const limitHeaders = new Set([
  'ratelimit',
  'ratelimit-policy',
  ...['requests', 'tokens'].flatMap(unit => [
    `x-ratelimit-limit-${unit}`,
    `x-ratelimit-remaining-${unit}`,
    `x-ratelimit-reset-${unit}`,
  ]),
])

test('every answer to a known caller of an inference says what is left, and nothing else does', async t => {
  const { paths } = await fetchDocument(t)
  for (const [path, methods] of Object.entries(paths)) {
    for (const { tags, responses } of Object.values(methods)) {
      for (const [status, { headers = {} }] of Object.entries(responses)) {
        const named = Object.keys(headers).filter(name => name.includes('ratelimit'))
        const isOfCaller = tags?.includes('Inference') && !/^(401|408|431)$/.test(status)
        assert.deepEqual(new Set(named), isOfCaller ? limitHeaders : new Set(), `${path} ${status}`)
      }
    }
  }
})

test('a 429 says what it is about: of inferences each case, of all others the address', async t => {
  const { paths, components } = await fetchDocument(t)
  const ajv = new Ajv2020({ strict: false })
  const isError = ajv.compile(components.schemas['Error'] ?? {})
  for (const [path, methods] of Object.entries(paths)) {
    for (const { tags, responses } of Object.values(methods)) {
      const refused = responses['429']
      if (refused === undefined) continue
      assert.match(refused.description, /address/, path)
      const { examples = {} } = refused.content?.['application/json'] ?? {}
      const names = tags?.includes('Inference') ? Object.keys(limitExamples) : []
      assert.deepEqual(Object.keys(examples), names, path)
      for (const { value } of Object.values(examples)) assert.ok(isError(value), ajv.errorsText(isError.errors))
    }
  }
})

test('every request has examples, and they are what the schemas ask for', async t => {
  const document = await fetchDocument(t)
  const ajv = new Ajv2020({ strict: false, discriminator: false })
  ajv.addSchema({ ...document, $id: 'openapi' })
  let count = 0
  for (const methods of Object.values(document.paths)) {
    for (const { requestBody } of Object.values(methods)) {
      const body = requestBody?.content['application/json']
      if (body === undefined) continue
      const { $ref } = body.schema as { $ref: string }
      const validate = ajv.compile({ $ref: `openapi${$ref}` })
      const named = Object.values(body.examples ?? {}) as { value: object }[]
      const examples = body.example === undefined ? named.map(({ value }) => value) : [body.example]
      assert.ok(examples.length > 0, $ref)
      for (const example of examples) {
        count += 1
        assert.ok(validate(example), `${$ref}: ${ajv.errorsText(validate.errors)}`)
      }
    }
  }
  assert.equal(count, 18)
})

test('every route is in the document, but for pages and what only spells another route', async t => {
  const { app } = await build(t)
  const documented = Object.keys(app.swagger().paths ?? {}).map(path => path.replaceAll(/\{(\w+)\}/g, ':$1'))
  const steps: string[] = []
  const served = app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap(line => {
      const [, indent, step] = /^([│ ]*)[└├]── (\S*) \(/.exec(line) ?? []
      if (indent === undefined || step === undefined) return []
      steps.splice(indent.length / 4, Number.POSITIVE_INFINITY, step)
      return [steps.join('')]
    })
  const pages = (path: string) => path === '/docs' || path.startsWith('/docs/')
  assert.deepEqual(new Set(served.filter(path => !pages(path))), new Set([...documented, '/v1/models*']))
})
