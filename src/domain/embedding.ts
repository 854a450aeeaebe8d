/** The two ways OpenAI's protocol writes a vector: a list of numbers, or base64 of little-endian 32-bit floats. */

export type EncodingFormat = 'float' | 'base64'

export function encodeVector(values: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(values.length * 4)
  for (let i = 0; i < values.length; i++) bytes.writeFloatLE(values[i] ?? 0, i * 4)
  return bytes.toString('base64')
}

/** Undefined where the text is not a whole number of 32-bit floats. */
export function decodeVector(base64: string): number[] | undefined {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length % 4 !== 0) return
  const values = new Array<number>(bytes.length / 4)
  for (let i = 0; i < values.length; i++) values[i] = bytes.readFloatLE(i * 4)
  return values
}

/** The vector as asked for, whichever way the backend wrote it; undefined where it is no vector. */
export function convertVector(vector: unknown, format: EncodingFormat): string | number[] | undefined {
  if (typeof vector === 'string') return format === 'base64' ? vector : decodeVector(vector)
  if (!Array.isArray(vector) || !vector.every(value => typeof value === 'number')) return
  return format === 'float' ? vector : encodeVector(vector)
}
