import type { Operation } from './field-policy.ts'

/**
 * Which keys may stand inside the fields that go to a backend. The schemas only say what must be there and of what kind;
 * what else a caller writes there (an engine's own parameter, say) must not arrive, and is left out in silence: clients
 * send back whole messages of other servers, with keys nobody here knows.
 */
type Allowed =
  /** Any value: it is a scalar by its schema, or free-form by design. */
  | 'any'
  /** As any, but null means not given: engines stumble over a null where they expect a string. */
  | 'given'
  /** Only null or an empty list: what the SDKs hand back of an answer. Anything more is for OpenAI alone. */
  | 'empty'
  | { readonly kind: 'list'; readonly item: Allowed; readonly keepNull: boolean }
  | { readonly kind: 'object'; readonly keys: ReadonlyMap<string, Allowed> }
  | { readonly kind: 'tagged'; readonly tag: string; readonly cases: ReadonlyMap<string, Allowed> }

const object = (keys: Readonly<Record<string, Allowed>>): Allowed => ({
  kind: 'object',
  keys: new Map(Object.entries(keys)),
})
const list = (item: Allowed, keepNull = false): Allowed => ({ kind: 'list', item, keepNull })
const tagged = (tag: string, cases: Readonly<Record<string, Allowed>>): Allowed => ({
  kind: 'tagged',
  tag,
  cases: new Map(Object.entries(cases)),
})

const part = tagged('type', {
  text: object({ type: 'any', text: 'any' }),
  refusal: object({ type: 'any', refusal: 'any' }),
  image_url: object({ type: 'any', image_url: object({ url: 'any', detail: 'given' }) }),
  input_audio: object({ type: 'any', input_audio: object({ data: 'any', format: 'any' }) }),
})
const spoken = { role: 'any', content: list(part, true), name: 'given' } as const
const functionCall = object({ name: 'any', arguments: 'any' })
const named = object({ type: 'any', function: object({ name: 'any' }) })

const message = tagged('role', {
  system: object(spoken),
  developer: object(spoken),
  user: object(spoken),
  tool: object({ ...spoken, tool_call_id: 'any' }),
  function: object(spoken),
  assistant: object({
    ...spoken,
    reasoning_content: 'given',
    refusal: 'any',
    tool_calls: list(object({ id: 'any', type: 'any', function: functionCall })),
    function_call: functionCall,
    annotations: 'empty',
    audio: 'empty',
  }),
})

const streamOptions = object({ include_usage: 'given' })

const allowed: Readonly<Record<Operation, Readonly<Record<string, Allowed>>>> = {
  chat: {
    messages: list(message),
    tools: list(
      object({
        type: 'any',
        function: object({ name: 'any', description: 'any', parameters: 'any', strict: 'given' }),
      }),
    ),
    tool_choice: tagged('type', {
      function: named,
      allowed_tools: object({ type: 'any', allowed_tools: object({ mode: 'any', tools: list(named) }) }),
    }),
    response_format: tagged('type', {
      text: object({ type: 'any' }),
      json_object: object({ type: 'any' }),
      json_schema: object({
        type: 'any',
        json_schema: object({ name: 'any', description: 'any', schema: 'any', strict: 'given' }),
      }),
    }),
    stream_options: streamOptions,
  },
  completions: { stream_options: streamOptions },
  embeddings: {},
}

/**
 * Finds the fields of a validated body that hold keys which must not reach a backend.
 *
 * @returns a clean copy of each such field, by name, to be sent in its stead; undefined, without having allocated
 * anything, where all are clean.
 */
export function pruneFields(
  operation: Operation,
  body: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, unknown> | undefined {
  let pruned: Map<string, unknown> | undefined
  const rules = allowed[operation]
  for (const name in rules) {
    const rule = rules[name]
    const value = body[name]
    if (value === undefined || value === null || rule === undefined || isClean(value, rule)) continue
    pruned ??= new Map()
    pruned.set(name, prune(value, rule))
  }
  return pruned
}

function isClean(value: unknown, rule: Allowed): boolean {
  if (rule === 'any') return true
  if (rule === 'given') return value !== null
  if (rule === 'empty') return value === null || (Array.isArray(value) && value.length === 0)
  if (value === null) return rule.kind === 'list' && rule.keepNull
  if (typeof value !== 'object') return true
  if (rule.kind === 'list') return isCleanList(value, rule.item)
  const keys = findKeys(value, rule)
  if (keys === undefined) return false
  const record = value as Record<string, unknown>
  for (const key in record) {
    const inner = keys.get(key)
    if (inner === undefined || !isClean(record[key], inner)) return false
  }
  return true
}

function isCleanList(value: object, item: Allowed): boolean {
  if (!Array.isArray(value)) return false
  for (const each of value) if (!isClean(each, item)) return false
  return true
}

/** The keys an object may have, which may depend on what its tag says. */
function findKeys(value: object, rule: Exclude<Allowed, string>): ReadonlyMap<string, Allowed> | undefined {
  if (rule.kind === 'object') return rule.keys
  if (rule.kind === 'list') return undefined
  const chosen = rule.cases.get(String((value as Record<string, unknown>)[rule.tag]))
  return chosen === undefined || typeof chosen === 'string' ? undefined : findKeys(value, chosen)
}

/** Keeps what is allowed; for a value that has passed its schema. */
function prune(value: unknown, rule: Allowed): unknown {
  if (typeof rule === 'string' || typeof value !== 'object' || value === null) return value
  if (rule.kind === 'list') return Array.isArray(value) ? value.map(item => prune(item, rule.item)) : undefined
  const keys = findKeys(value, rule)
  const kept: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    const inner = keys?.get(key)
    if (inner === undefined) continue
    const isLeaf = typeof inner === 'string' || item === null
    if (isLeaf && !isClean(item, inner)) continue
    kept[key] = prune(item, inner)
  }
  return kept
}
