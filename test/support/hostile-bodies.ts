import { Buffer } from 'node:buffer'

/** The default bound on a body, which these shapes fill. */
const size = 8 * 1024 * 1024

function fill(before: string, unit: string, after: string): Buffer {
  const times = Math.floor((size - before.length - after.length) / Buffer.byteLength(unit))
  return Buffer.from(before + unit.repeat(times) + after)
}

function items(
  count: number,
  unit: (index: number) => string,
  [before, after]: [string, string] = ['{"x":[', ']}'],
): Buffer {
  const parts: string[] = []
  let length = before.length + after.length
  for (let index = 0; index < count; index++) {
    const part = unit(index)
    length += part.length + 1
    if (length > size) break
    parts.push(part)
  }
  return Buffer.from(before + parts.join(',') + after)
}

const object: [string, string] = ['{"x":{', '}}']

/** Bodies that must be refused, and quickly. */
export const refusedBodies: Readonly<Record<string, () => Buffer>> = {
  'depth 65': () => Buffer.from(`{"x":${'['.repeat(64)}${']'.repeat(64)}}`),
  'depth 65 of objects': () => Buffer.from(`${'{"x":'.repeat(65)}1${'}'.repeat(65)}`),
  'depth 1,000,000': () => Buffer.from(`{"x":${'['.repeat(1e6)}${']'.repeat(1e6)}}`),
  'depth without end': () => fill('', '[', ''),
  'closing braces': () => fill('', '}', ''),
  '1,000,000 keys': () => items(1e6, index => `"${index}":1`, object),
  '25,001 keys': () => items(25_001, index => `"k${index}":1`, object),
  '513 top-level fields': () => items(513, index => `"k${index}":1`, ['{', '}']),
  '500,002 elements': () => items(500_002, () => '1'),
  '1,000,000 empty arrays': () => items(1e6, () => '[]'),
  '100,001 fractions': () => items(100_001, () => '1.5'),
  '100,001 exponents': () => items(100_001, () => '1e5'),
  '1,000,000 strings': () => items(1e6, index => `"${index}"`),
  'colons only': () => fill('{', ':', ''),
  'keys without values': () => fill('{', ':,', ''),
  'commas only': () => fill('{"a":1', ',', ''),
  'quotes only': () => fill('{"a":', '"', ''),
  'spaces only': () => fill('{', ' ', ''),
  'lines only': () => fill('{"a":', '\n', 'x}'),
  'lines in short rows, and a fault': () => Buffer.concat([items(25e4, () => `1${'\n'.repeat(30)}`), Buffer.from('x')]),
  'a string without end': () => fill('{"a":"', '\\n', ''),
  'a fault at the end of a string': () => fill('{"a":"', 'a', '"x}'),
  'a fault after half a million numbers': () =>
    Buffer.concat([items(499_000, index => String(1e6 + index)), Buffer.from('x')]),
  'a number of 8 MiB': () => fill('{"a":', '9', '}'),
  'the number 1e400': () => Buffer.from('{"a":[{"b":1e400}]}'),
  'the number -1e400 after half a million': () => items(499_000, index => (index === 498_999 ? '-1e400' : '1')),
  'a repeated key': () => Buffer.from('{"a":1,"a":2}'),
  'a repeated key, escaped': () => Buffer.from('{"ab":1,"\\u0061b":2}'),
  'a repeated key among 25,000': () => items(24_990, index => `"k${index === 24_989 ? 0 : index}":1`, object),
  'invalid UTF-8 at the end': () =>
    Buffer.concat([fill('{"a":"', 'a', '').subarray(0, -9), Buffer.from([0xff, 0x22, 0x7d])]),
  'overlong UTF-8': () => Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
  'a surrogate in UTF-8': () => Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
  'a byte order mark': () => Buffer.from('\ufeff{"a":1}'),
  'UTF-16': () => Buffer.from('{"a":1}', 'utf16le'),
  'a lone surrogate': () => fill('{"a":"', 'a', '\\ud800"}'),
  'a lone low surrogate in a key': () => Buffer.from('{"a":{"\\uDC00":1}}'),
  'a key __proto__': () => Buffer.from('{"__proto__":{"isAdmin":true}}'),
  '__proto__ after half a million': () => items(490_000, index => (index === 489_999 ? '{"__proto__":1}' : '1')),
  '__proto__, escaped': () => Buffer.from('{"a":[{"__\\u0070roto__":1}]}'),
  'constructor.prototype': () => Buffer.from('{"a":{"constructor":{"prototype":{"b":1}}}}'),
  'constructor.prototype, escaped': () => Buffer.from('{"\\u0063onstructor":{"p\\u0072ototype":1}}'),
}

/** Bodies within every bound that cost as much as any can. They pass here, and fail only by a route's schema. */
export const costlyBodies: Readonly<Record<string, () => Buffer>> = {
  'one long string': () => fill('{"x":"', 'a', '"}'),
  'one long string of two bytes a character': () => fill('{"x":"', 'é', '"}'),
  'escaped quotes': () => fill('{"x":"', '\\"', '"}'),
  'escaped quotes far apart': () => fill('{"x":"', `${'a'.repeat(40)}\\"`, '"}'),
  backslashes: () => fill('{"x":"', '\\\\', '"}'),
  'escaped letters': () => fill('{"x":"', '\\u0041', '"}'),
  'escaped pairs': () => fill('{"x":"', '\\ud83d\\ude00', '"}'),
  'spaces in short rows': () => items(25e4, () => `1${' '.repeat(30)}`),
  'a row of spaces': () => Buffer.from(`{"x":${' '.repeat(1_999_990)}1}`),
  '25,000 keys': () => items(24_990, index => `"k${index}":${index}`, object),
  '25,000 long keys': () => items(24_990, index => `"k${index}${'x'.repeat(300)}":${index}`, object),
  '25,000 numbers as keys': () => items(24_990, index => `"${index * 7919}":1`, object),
  '25,000 objects': () => items(24_990, index => `{"k${index}":1}`),
  '500,000 integers': () => items(5e5, index => String(index % 100)),
  '500,000 long integers': () => items(5e5, index => String(1e14 + index)),
  '100,000 fractions': () => items(99_990, index => (index * 0.37).toFixed(4)),
  '100,000 exponents': () => items(99_990, index => `1e-${index % 300}`),
  'numbers hard to round': () => items(99_990, index => `9007199254740993.0000000000000000000000000${index}`),
  'numbers near the least': () => items(49_990, () => '2.4703282292062327208299439634110864618e-324'),
  'a fraction of 2 MB': () => Buffer.from(`{"x":0.${'9'.repeat(1_999_990)}}`),
  '100,000 strings': () => items(99_000, index => `"s${index}"`),
  '50,000 arrays': () => items(49_000, () => '[]'),
  '500,000 nulls': () => items(5e5, () => 'null'),
}
