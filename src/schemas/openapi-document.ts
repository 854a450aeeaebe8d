/**
 * The last touch to the OpenAPI document that is collected from the routes. The routes' schemas stand whole in each place,
 * because validators and the allow-list of fields read them; the document lists each once, by its `title`.
 */

import { usdForm } from './answer-parts.ts'

type Json = Readonly<Record<string, unknown>>

/** Their values are data, whatever they look like. */
const dataKeywords = new Set(['const', 'default', 'enum', 'example', 'examples'])

const header = (description: string, schema: Json) => ({ description, schema })

const count = { type: 'string', pattern: '^[0-9]+$' } as const
const goDuration = { type: 'string', pattern: '^([0-9]+ms|([0-9]+h)?([0-9]+m)?[0-9]+s)$' } as const
/** A list of the structured fields of RFC 9651: a name in quotes, and whole numbers by letter. */
const namedNumbers = (...letters: readonly string[]) => {
  const one = `"[a-z-]+"${letters.map(letter => `;${letter}=[0-9]+`).join('')}`
  return { type: 'string', pattern: `^${one}(, ${one})*$` }
}

/** What every answer to an inference says once it is known who is calling, where the caller has rates. */
const limitHeaders = {
  'x-ratelimit-limit-requests': header('The most requests at once, of the rate that has fewest left.', count),
  'x-ratelimit-remaining-requests': header('What is left of it, without this request if it counts.', count),
  'x-ratelimit-reset-requests': header('When it is whole again: `12ms`, `1s`, `6m0s`.', goDuration),
  'x-ratelimit-limit-tokens': header('The most tokens at once, of the rate that has fewest left.', count),
  'x-ratelimit-remaining-tokens': header(
    'What is left of it, without all that this request may take if it counts.',
    count,
  ),
  'x-ratelimit-reset-tokens': header('When it is whole again: `12ms`, `1s`, `6m0s`.', goDuration),
  'ratelimit-policy': header(
    'Every rate of the account, and of the key with `key-` before its name: at most `q` at once, in a window of `w` seconds.',
    namedNumbers('q', 'w'),
  ),
  ratelimit: header(
    'The same rates: `r` is left, and all of it is there again in `t` seconds.',
    namedNumbers('r', 't'),
  ),
} as const
const limitHeaderNames = Object.keys(limitHeaders) as (keyof typeof limitHeaders)[]
/** Of an inference, what can be answered after it was let in: it is in the ledger then. */
const ledgerStatuses: ReadonlySet<number> = new Set([200, 400, 500, 502, 503, 504])
/** Of an inference, what can be answered before it is known who is calling, and not after. */
const namelessStatuses: ReadonlySet<number> = new Set([401, 408, 431])

/** What answers carry beside their bodies; see `headersOf`. */
const responseHeaders = {
  'x-request-id': header('Ours, for support; the same that our log has.', {
    type: 'string',
    pattern: '^req_[0-9a-f]{32}$',
  }),
  'openai-processing-ms': header('From the request to the head of the answer, in milliseconds.', count),
  'x-weir-ignored-fields': header('Fields of the request that were dropped: at most five, comma separated.', {
    type: 'string',
    pattern: '^[a-z_]{1,40}(, [a-z_]{1,40}){0,4}$',
  }),
  'x-weir-cost': header('What it cost in USD, where the model has a price; not of streams, whose usage says it.', {
    type: 'string',
    pattern: usdForm,
  }),
  'x-weir-cache': header('Of models with a cache: given again, asked anew, by likeness, or not looked for.', {
    enum: ['hit', 'miss', 'semantic', 'bypass'],
  }),
  'x-weir-cache-key': header('Names the answer in the cache, for `DELETE /admin/cache`; not of embeddings.', {
    type: 'string',
    pattern: '^[0-9a-f]{64}$',
  }),
  'x-weir-cached-inputs': header('Of embeddings: inputs whose vector was in the cache.', count),
  age: header('How old the answer is that is given again, in whole seconds.', count),
  'x-next-cursor': header('In CSV, the `cursor` of the next page; absent on the last one.', {
    type: 'string',
    pattern: '^[A-Za-z0-9_-]+$',
  }),
  'idempotent-replayed': header('The record is the one that an earlier request with this Idempotency-Key made.', {
    const: 'true',
  }),
  'retry-after': header('How long to wait, in whole seconds.', count),
  'retry-after-ms': header('The same in milliseconds.', count),
  'x-should-retry': header('`false` where trying again by itself would be of no use.', { const: 'false' }),
  ...limitHeaders,
} as const

const cacheHeaderNames = ['x-weir-cache', 'x-weir-cache-key', 'x-weir-cached-inputs', 'age'] as const

/** Gives a document its components: the schemas that have a `title`, and the headers. Throws if two share a title. */
export function finishDocument<Document extends object>(document: Document): Document {
  const schemas = new Map<string, unknown>()
  const { paths, components } = document as { paths?: unknown; components?: object }
  const hoisted = hoist(paths, schemas)
  return {
    ...document,
    paths: mapValues(hoisted, path => mapValues(path, operation => finishOperation(operation, schemas))),
    components: { ...components, headers: responseHeaders, schemas: Object.fromEntries([...schemas].sort(byName)) },
  }
}

function hoist(node: unknown, schemas: Map<string, unknown>): unknown {
  if (Array.isArray(node)) return node.map(item => hoist(item, schemas))
  if (!isObject(node)) return node
  const { title, ...whole } = node
  const copy = Object.fromEntries(
    Object.entries(typeof title === 'string' ? whole : node).map(([key, value]) => [
      key,
      dataKeywords.has(key) ? value : hoist(value, schemas),
    ]),
  )
  const schema = { ...copy, ...mapping(node, copy) }
  if (typeof title !== 'string') return schema
  const known = schemas.get(title)
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
    throw new Error(`two different schemas have the title '${title}'`)
  }
  schemas.set(title, schema)
  return { $ref: `#/components/schemas/${title}` }
}

/** Which component each value of a discriminator stands for: its name is ours and not the value. */
function mapping({ discriminator, oneOf }: Json, hoisted: Json): Json {
  if (!isObject(discriminator) || !Array.isArray(oneOf) || !Array.isArray(hoisted['oneOf'])) return {}
  const tag = String(discriminator['propertyName'])
  const references = hoisted['oneOf']
  const entries = oneOf.map((option, i) => [String(option.properties[tag].const), String(references[i].$ref)])
  return { discriminator: { propertyName: tag, mapping: Object.fromEntries(entries) } }
}

/** A body that may be left out says so itself; the library takes every body for required. */
function finishBody({ requestBody }: Json, schemas: ReadonlyMap<string, unknown>): Json {
  if (!isObject(requestBody)) return {}
  const schema = schemas.get(nameOfBody(requestBody))
  const mayBeAbsent = isObject(schema) && schema['x-optional'] === true
  return { requestBody: mayBeAbsent ? { ...requestBody, required: false } : requestBody }
}

function nameOfBody({ content }: Json): string {
  const { schema } = (content as Record<string, { schema?: Json } | undefined>)['application/json'] ?? {}
  return String(schema?.['$ref']).split('/').at(-1) ?? ''
}

function finishOperation(operation: unknown, schemas: ReadonlyMap<string, unknown>): unknown {
  if (!isObject(operation)) return operation
  const responses = mapValues(operation['responses'], (response, status) => ({
    ...(response as object),
    headers: Object.fromEntries(
      headersOf(Number(status), operation).map(name => [name, { $ref: `#/components/headers/${name}` }]),
    ),
  }))
  return { ...operation, ...finishBody(operation, schemas), responses }
}

function headersOf(status: number, operation: Json): (keyof typeof responseHeaders)[] {
  const saysLimits = hasTag(operation, 'Inference') && !namelessStatuses.has(status)
  const saysCost = hasTag(operation, 'Inference') && ledgerStatuses.has(status)
  return [
    ...ownHeadersOf(status, operation),
    ...(saysCost ? (['x-weir-cost'] as const) : []),
    ...(saysLimits ? limitHeaderNames : []),
  ]
}

function ownHeadersOf(status: number, operation: Json): (keyof typeof responseHeaders)[] {
  // What never was a whole request has no id.
  if (status === 408 || status === 431) return []
  const always = ['x-request-id', 'openai-processing-ms'] as const
  if (status === 429 || status === 503) return [...always, 'retry-after', 'retry-after-ms', 'x-should-retry']
  if (status >= 500 || status === 409) return [...always, 'x-should-retry']
  if (status !== 200) return [...always]
  if (isCreation(operation)) return [...always, 'idempotent-replayed']
  if (isTable(operation)) return [...always, 'x-next-cursor']
  return hasTag(operation, 'Inference') ? [...always, 'x-weir-ignored-fields', ...cacheHeaderNames] : [...always]
}

/** Answers 200 only where the record was made before. */
const isCreation = ({ responses }: Json): boolean => isObject(responses) && responses['201'] !== undefined

/** Answers a page as CSV too, which has no place for where the next one begins. */
const isTable = ({ responses }: Json): boolean => {
  const { content } = (responses as Record<string, Json> | undefined)?.['200'] ?? {}
  return isObject(content) && content['text/csv'] !== undefined
}

const hasTag = ({ tags }: Json, tag: string): boolean => Array.isArray(tags) && tags.includes(tag)

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

const mapValues = (value: unknown, change: (value: unknown, key: string) => unknown): Json =>
  isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, change(inner, key)])) : {}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)
