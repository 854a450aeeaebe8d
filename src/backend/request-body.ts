import type { TopLevelField } from '../domain/body-scan.ts'

/**
 * Builds the backend's body from the caller's bytes: the kept fields are copied as they stand, the overrides written
 * before them, and nothing else is in it. There is no second JSON pass over messages.
 *
 * `overrides` are JSON texts by field name; a field that is overridden must not be among the kept.
 */
export function buildRequestBody(
  bytes: Buffer,
  kept: readonly TopLevelField[],
  overrides: Readonly<Record<string, string>>,
): Buffer {
  let head = '{'
  for (const name in overrides) head += `${head.length > 1 ? ',' : ''}${JSON.stringify(name)}:${overrides[name]}`
  const pieces: Buffer[] = [Buffer.from(head)]
  let first = head.length === 1
  for (const { start, end } of kept) {
    if (!first) pieces.push(comma)
    first = false
    pieces.push(bytes.subarray(start, end))
  }
  pieces.push(brace)
  return Buffer.concat(pieces)
}

const comma = Buffer.from(',')
const brace = Buffer.from('}')
