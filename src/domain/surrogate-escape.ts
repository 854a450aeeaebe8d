/** Halves of surrogate pairs in JSON text: only an escape can bring one into valid UTF-8. */

const backslashByte = 0x5c
const lowerU = 0x75
const lowerD = 0x64
/** Bytes that are looked at one by one before a search for the next backslash pays for its call. */
const nearBytes = 32

/**
 * The offset of the first escape that is half of a pair; -1 where there is none. Looks at each byte once at the most, and
 * only at those that tell the halves: for bytes that JSON.parse accepts the result is exact.
 */
export function findLoneSurrogate(bytes: Buffer): number {
  for (let at = nextBackslash(bytes, 0); at !== -1; ) {
    const half = halfAt(bytes, at)
    if (half === NONE) at = nextBackslash(bytes, at + 2)
    else if (half === HIGH && halfAt(bytes, at + 6) === LOW) at = nextBackslash(bytes, at + 12)
    else return at
  }
  return -1
}

const NONE = 0
const HIGH = 1
const LOW = 2

/** Which half the escape at this offset stands for: `\ud8` to `\udb` begin high ones, `\udc` to `\udf` low ones, in any case. */
function halfAt(bytes: Buffer, at: number): number {
  if (bytes[at] !== backslashByte || bytes[at + 1] !== lowerU) return NONE
  // With this bit set a letter is small, and no digit is changed.
  if (((bytes[at + 2] ?? 0) | 0x20) !== lowerD) return NONE
  const digit = (bytes[at + 3] ?? 0) | 0x20
  if (digit === 0x38 || digit === 0x39 || digit === 0x61 || digit === 0x62) return HIGH
  return digit >= 0x63 && digit <= 0x66 ? LOW : NONE
}

function nextBackslash(bytes: Buffer, from: number): number {
  const near = Math.min(from + nearBytes, bytes.length)
  for (let at = from; at < near; at++) if (bytes[at] === backslashByte) return at
  return bytes.indexOf(backslashByte, near)
}
