/** What the sums of the ledger are kept by and of what, as their tables call it. */

/** What series have apart, but their account: texts, of which an empty one stands for none. */
const nameColumns = [
  'key_id',
  'tier',
  'model',
  'answered_model',
  'backend',
  'experiment',
  'arm',
  'endpoint',
  'status',
  'price_version',
] as const

export const seriesColumns = ['account_id', ...nameColumns] as const

/** The series of an event, in SQL. */
export const seriesOfEvent = ['account_id', ...nameColumns.map(column => `coalesce(${column}, '') as ${column}`)].join(
  ', ',
)

/** The series of the totals that a series is in, in SQL. */
export const seriesOfTotal = seriesColumns
  .map(column => {
    if (column === 'account_id') return `null::uuid as ${column}`
    return column === 'key_id' ? `'' as ${column}` : column
  })
  .join(', ')

/** The id of a series, in SQL. */
export const seriesId = `left(encode(sha256(convert_to(jsonb_build_array(${seriesColumns.join(', ')})::text, 'UTF8')), 'hex'), 32)::uuid`

/** Sums, each with what one event adds to it. */
const sumExpressions = {
  requests: '1',
  estimated: 'is_estimate::integer',
  input_tokens: 'input_tokens',
  cached_input_tokens: 'cached_input_tokens',
  output_tokens: 'output_tokens',
  reasoning_tokens: 'coalesce(reasoning_tokens, 0)',
  cost_nano_usd: 'cost_nano_usd',
  backend_us: 'backend_us',
  queue_ms: 'queue_ms',
  first_token_ms: 'coalesce(first_token_ms, 0)',
  first_tokens: '(first_token_ms is not null)::integer',
  total_ms: 'total_ms',
} as const

export const sumColumns = Object.keys(sumExpressions) as readonly (keyof typeof sumExpressions)[]

/** The sums of events, in SQL. */
export const sumsOfEvents = Object.entries(sumExpressions)
  .map(([column, expression]) => `sum(${expression})::bigint as ${column}`)
  .join(', ')

/** The sums of sums, in SQL. */
export const sumsOfSums = sumColumns.map(column => `sum(${column}) as ${column}`).join(', ')

/** The same as text, since they can be larger than a number holds; with the requests that had no price, by their series. */
export const toldSums = [
  ...sumColumns.map(column => `coalesce(sum(${column}), 0)::text as ${column}`),
  `coalesce(sum(requests) filter (where price_version = ''), 0)::text as unpriced`,
].join(', ')

export type SumRow = Readonly<Record<keyof typeof sumExpressions | 'unpriced', string>>

/** Exact sums. `inputTokens` include those that were cached, `outputTokens` those of reasoning. */
export interface UsageSums {
  readonly requests: bigint
  /** How many of them had no price. */
  readonly unpriced: bigint
  /** How many of them have tokens that are not the engine's word. */
  readonly estimated: bigint
  readonly inputTokens: bigint
  readonly cachedInputTokens: bigint
  readonly outputTokens: bigint
  readonly reasoningTokens: bigint
  readonly costNanoUsd: bigint
  readonly backendUs: bigint
  readonly queueMs: bigint
  readonly firstTokenMs: bigint
  /** How many had a first token: what `firstTokenMs` is to be divided by. */
  readonly firstTokens: bigint
  readonly totalMs: bigint
}

export const readSums = (row: SumRow): UsageSums => ({
  requests: BigInt(row.requests),
  unpriced: BigInt(row.unpriced),
  estimated: BigInt(row.estimated),
  inputTokens: BigInt(row.input_tokens),
  cachedInputTokens: BigInt(row.cached_input_tokens),
  outputTokens: BigInt(row.output_tokens),
  reasoningTokens: BigInt(row.reasoning_tokens),
  costNanoUsd: BigInt(row.cost_nano_usd),
  backendUs: BigInt(row.backend_us),
  queueMs: BigInt(row.queue_ms),
  firstTokenMs: BigInt(row.first_token_ms),
  firstTokens: BigInt(row.first_tokens),
  totalMs: BigInt(row.total_ms),
})
