import { WeirError } from '../errors.ts'
import type { ScannedBody } from './body-parse.ts'
import type { TopLevelField } from './body-scan.ts'
import { findPolicy, type Operation } from './field-policy.ts'

export interface CheckedFields {
  /** What may go to a backend, in the order of the body; fields that are null are left out, as if never given. */
  readonly keep: readonly TopLevelField[]
  /** At most five names of fields that were dropped because nobody knows them, fit for a header. */
  readonly ignored: readonly string[]
}

const maxIgnored = 5
const noneIgnored: readonly string[] = []

/**
 * Sorts the top-level fields of a request into those that go on, those that stay here and those that are refused.
 *
 * @throws WeirError `invalidRequest` with `param` for a field of the engine's own or one that cannot be served.
 */
export function checkFields(operation: Operation, { bytes, fields }: ScannedBody): CheckedFields {
  const keep: TopLevelField[] = []
  let ignored: string[] | undefined
  for (const field of fields) {
    const { name } = field
    const policy = findPolicy(operation, name)
    if (policy === 'forward') {
      if (!isNull(bytes, field)) keep.push(field)
    } else if (policy === undefined) {
      ignored ??= []
      if (ignored.length < maxIgnored && /^[a-z_]{1,40}$/.test(name)) ignored.push(name)
    } else if (policy !== 'accept' && !isNull(bytes, field)) {
      throw new WeirError('invalidRequest', `${name} ${policy.refuse}.`, { param: name })
    }
  }
  return { keep, ignored: ignored ?? noneIgnored }
}

/** Of valid JSON's values only `null` begins with an n. */
function isNull(bytes: Uint8Array, { valueStart }: TopLevelField): boolean {
  return bytes[valueStart] === 0x6e
}

/**
 * The bound the caller set on the length of an answer, in tokens; undefined where there is none. OpenAI has deprecated
 * `max_tokens`, so `max_completion_tokens` wins where both stand.
 */
export function findMaxTokens(body: {
  readonly max_tokens?: number | null
  readonly max_completion_tokens?: number | null
}): number | undefined {
  return body.max_completion_tokens ?? body.max_tokens ?? undefined
}
