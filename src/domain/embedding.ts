/** The two ways OpenAI's protocol writes a vector: a list of numbers, or base64 of little-endian 32-bit floats. */

export type EncodingFormat = 'float' | 'base64'

export function encodeVector(values: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(values.length * 4)
  for (let i = 0; i < values.length; i++) bytes.writeFloatLE(values[i] ?? 0, i * 4)
  return bytes.toString('base64')
}

/** Undefined where the text is not a whole number of finite 32-bit floats, one at least. */
export function decodeVector(base64: string): number[] | undefined {
  if (!isVectorText(base64)) return
  const bytes = Buffer.from(base64, 'base64')
  const values = new Array<number>(bytes.length / 4)
  for (let i = 0; i < values.length; i++) values[i] = bytes.readFloatLE(i * 4)
  return values.every(Number.isFinite) ? values : undefined
}

/** `Buffer.from` skips what is not base64; a caller's decoder would throw, or make another vector of it. */
const isVectorText = (text: string): boolean =>
  /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0 && Buffer.byteLength(text, 'base64') % 4 === 0

/** The vector as asked for, whichever way the backend wrote it; undefined where it is no vector. */
export function convertVector(vector: unknown, format: EncodingFormat): string | number[] | undefined {
  if (typeof vector === 'string') {
    if (format === 'float') return decodeVector(vector)
    return isVectorText(vector) ? vector : undefined
  }
  if (!Array.isArray(vector) || vector.length === 0 || !vector.every(isFloat32)) return
  return format === 'float' ? vector : encodeVector(vector)
}

/** A number that a 32-bit float can hold: a larger one would become infinite on the way. */
const isFloat32 = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(Math.fround(value))
