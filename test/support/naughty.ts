/** Hostile strings by construction: what has broken logs, terminals, parsers and templates, each in several surroundings. */

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => String.fromCodePoint(from + at))

const marks: readonly string[] = [
  ...range(0x00, 0x1f),
  ...range(0x7f, 0x9f),
  ...range(0x200b, 0x200f),
  ...range(0x2028, 0x202e),
  ...range(0x2060, 0x2069),
  ...['\u061c', '\ufeff', '\ufff9', '\u00ad', '\u034f', '\u180e', '\ud83d', '\ude00', '\u{e0041}', '\u{10ffff}'],
]

const payloads: readonly string[] = [
  '\r\n',
  '\r\n\r\nHTTP/1.1 200 OK',
  '\u001b[2J\u001b[H',
  '\u001b]0;title\u0007',
  '\u009b31mred',
  '"}\n{"level":60,"msg":"forged"}',
  '","admin":true,"x":"',
  '\\',
  '\\"',
  '\\u0000',
  '\\n',
  '%0d%0a',
  '%s%d%j%o%x%n',
  ['$', '{7*7}'].join(''),
  '{{7*7}}',
  '#{7*7}',
  '<script>alert(1)</script>',
  "' OR 1=1 --",
  '$(id)`id`',
  '=cmd()',
  '../../../etc/passwd',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'undefined',
  'NaN',
  '-1e309',
  '\u202eevil\u202c',
  'مرحبا',
  'שלום',
  '田中さん',
  '👩‍👩‍👧‍👦',
  `Z${'\u0300'.repeat(200)}`,
  ' '.repeat(200),
  'x'.repeat(10_240),
]

const surroundings: readonly ((text: string) => string)[] = [
  text => text,
  text => `a${text}b`,
  text => `${text}${text}"${text}`,
]

/** About 400 of them. */
export const naughty: readonly string[] = [...marks, ...payloads].flatMap(text =>
  surroundings.map(around => around(text)),
)
