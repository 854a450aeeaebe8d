/** How what was used is asked for. */
import { closed } from './admin/fields.ts'
import { limitNames } from './admin/limits.ts'
import { endpointNames } from './config/models.ts'
import { OneOfTexts, storedText } from './fields.ts'
import { type Static, Type } from './typebox.ts'

export const usageStatuses = ['ok', 'partial', 'client_cancel', 'error', 'cache_hit', 'unknown'] as const

const Name = (maxLength: number, description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength, ...storedText, description }))

/** Whether it is a real time is for the operation to say: see readRange. */
const TimeOrDay = (description: string) =>
  Type.Optional(
    Type.String({
      pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\\.[0-9]{1,6})?)?Z)?$',
      'x-expects': 'a day such as 2030-01-31, or a time in UTC such as 2030-01-31T15:00:00Z',
      description,
    }),
  )

const rangeFields = {
  from: TimeOrDay('What began then or later; when absent, the beginning of the day, UTC, 30 days ago.'),
  to: TimeOrDay('What began before then; without an end when absent.'),
}

/** Larger pages than those of records: rows are small, and reports are read whole. */
const pageFields = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Rows of one page; 100 when absent.' })),
  // It has the values of the row that the page before ended with.
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 8192,
      description: '`next_cursor` of the page before, in CSV its header `x-next-cursor`; with the same questions.',
    }),
  ),
}

const granularity = OneOfTexts(['hour', 'day', 'month', 'none'], {
  default: 'day',
  description: 'A row for each, UTC; `none` is one for all of the time. `from` and `to` have to be whole hours.',
})

const GroupBy = (names: readonly string[]) =>
  Type.Optional(
    Type.String({
      pattern: `^(?:${names.join('|')})(?:,(?:${names.join('|')})){0,${names.length - 1}}$`,
      'x-expects': `one or more of ${names.join(', ')}, with commas between and each once`,
      description: `What has rows of its own: ${names.join(', ')}, with commas between.`,
    }),
  )

const model = Name(256, 'Of the model with this name, as it was asked for, aliases resolved.')
const key = Name(64, 'Of the key with this public id.')
const account = Name(128, 'Of this account: its id, or its name. Of one that was deleted only by its id.')
const status = Type.Optional(
  OneOfTexts(usageStatuses, {
    description:
      'Of requests that ended so: whole, broken off, left by the caller, with nothing, from a cache, or nobody knows how.',
  }),
)

export const ReadUsageSchema = Type.Object(
  { ...rangeFields, granularity, group_by: GroupBy(['model', 'key']), model, key, ...pageFields },
  closed,
)
export type ReadUsage = Static<typeof ReadUsageSchema>

const dimensions = ['account', 'key', 'model', 'tier', 'backend', 'experiment', 'arm', 'endpoint', 'status'] as const

export const ListUsageSchema = Type.Object(
  {
    ...rangeFields,
    granularity,
    group_by: GroupBy(dimensions),
    account,
    key,
    model,
    tier: Name(63, 'Of callers that had this tier then.'),
    backend: Name(256, 'Of what this backend has answered.'),
    experiment: Name(64, 'Of requests that took part in this experiment.'),
    arm: Name(256, 'Of this arm, of whatever experiment.'),
    endpoint: Type.Optional(OneOfTexts(endpointNames, { description: 'Of this endpoint.' })),
    status,
    ...pageFields,
  },
  closed,
)
export type ListUsage = Static<typeof ListUsageSchema>

export const ListUsageEventsSchema = Type.Object({ ...rangeFields, account, key, model, status, ...pageFields }, closed)
export type ListUsageEvents = Static<typeof ListUsageEventsSchema>

const denialGranularity = OneOfTexts(['minute', 'hour', 'day', 'none'], {
  default: 'day',
  description: 'A row for each, UTC; `none` is one for all of the time. `from` and `to` have to be whole minutes.',
})
const limitName = Type.Optional(OneOfTexts(limitNames, { description: 'Of what this limit has refused.' }))
const of = Type.Optional(OneOfTexts(['account', 'key'], { description: "Of limits of accounts, or of keys' own." }))

export const ReadDenialsSchema = Type.Object(
  {
    ...rangeFields,
    granularity: denialGranularity,
    group_by: GroupBy(['key', 'limit_name', 'of']),
    ...{ key, limit_name: limitName, of },
    ...pageFields,
  },
  closed,
)
export type ReadDenials = Static<typeof ReadDenialsSchema>

export const ListDenialsSchema = Type.Object(
  {
    ...rangeFields,
    granularity: denialGranularity,
    group_by: GroupBy(['account', 'key', 'tier', 'limit_name', 'of']),
    ...{ account, key, tier: Name(63, 'Of callers that had this tier then.'), limit_name: limitName, of },
    ...pageFields,
  },
  closed,
)
export type ListDenials = Static<typeof ListDenialsSchema>
