const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/**
 * Writes bytes as one big-endian number of exactly `width` base62 digits, zeros in front.
 * Throws a RangeError when the bytes do not fit, so that a key can never be cut short unnoticed.
 */
export function encodeBase62(bytes: Uint8Array, width: number): string {
  let rest = 0n
  for (const byte of bytes) rest = (rest << 8n) | BigInt(byte)
  let text = ''
  while (rest > 0n) {
    text = digits.charAt(Number(rest % 62n)) + text
    rest /= 62n
  }
  if (text.length > width) throw new RangeError(`${bytes.length} bytes do not fit into ${width} base62 digits`)
  return text.padStart(width, '0')
}

/** The digit of a small number: 0–61. */
export function encodeBase62Digit(value: number): string {
  const digit = digits.charAt(value)
  if (digit === '') throw new RangeError(`${value} is not a base62 digit`)
  return digit
}

/** The value of a base62 digit, or -1 for any other character. */
export function decodeBase62Digit(character: string): number {
  return character.length === 1 ? digits.indexOf(character) : -1
}
