import { Buffer } from 'node:buffer'
import type { TopLevelField } from './body-scan.ts'

/**
 * Builds a body from fields of another one, byte for byte, without going through values: a long prompt is copied, not
 * parsed and written again.
 *
 * @param keep fields of `bytes`, in their order.
 * @param texts JSON to stand for a field instead of its own, or to be added; null leaves the field out.
 */
export function spliceBody(
  bytes: Buffer,
  keep: readonly TopLevelField[],
  texts: ReadonlyMap<string, string | null>,
): Buffer {
  const pieces: Buffer[] = []
  let runStart = -1
  let runEnd = -1
  let added = ''
  for (const field of keep) {
    if (texts.has(field.name)) continue
    if (runStart !== -1 && field.start === runEnd + 1) {
      // One byte apart is a comma and nothing else: the run goes on.
      runEnd = field.end
      continue
    }
    if (runStart !== -1) pieces.push(comma, bytes.subarray(runStart, runEnd))
    runStart = field.start
    runEnd = field.end
  }
  if (runStart !== -1) pieces.push(comma, bytes.subarray(runStart, runEnd))
  for (const [name, text] of texts) if (text !== null) added += `,${JSON.stringify(name)}:${text}`
  pieces.push(Buffer.from(`${added}}`))
  const whole = Buffer.concat(pieces)
  if (whole[0] === 0x2c) whole[0] = 0x7b
  return whole[0] === 0x7b ? whole : Buffer.from('{}')
}

const comma = Buffer.from(',')
