import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseBody } from '../../src/domain/body-parse.ts'
import { bodyBounds, scanBody } from '../../src/domain/body-scan.ts'
import { hasRefusedKey, jsonObject, writeFreely } from '../support/json-text.ts'

const randomly = fc.gen().map(generate => () => generate(fc.nat, 59))

describe('the spans of the top-level fields', () => {
  test('name and cut out every field of any object, however it is written', () => {
    fc.assert(
      fc.property(jsonObject, randomly, (object, choose) => {
        fc.pre(!hasRefusedKey(object))
        const bytes = Buffer.from(writeFreely(object, choose))
        const { fields, value } = parseBody(bytes)
        assert.deepEqual(value, JSON.parse(bytes.toString()))
        const rebuilt = fields.map(field => bytes.toString('utf8', field.start, field.end)).join(',')
        assert.deepEqual(JSON.parse(`{${rebuilt}}`), value)
        for (const { name, start, valueStart, end } of fields) {
          assert.deepEqual(JSON.parse(bytes.toString('utf8', valueStart, end)), value[name])
          assert.equal(bytes[start], 0x22)
          assert.doesNotMatch(bytes.toString('utf8', valueStart, end), /^\s|\s$/)
        }
        assert.deepEqual(new Set(fields.map(({ name }) => name)), new Set(Object.keys(value)))
        assert.deepEqual(
          fields.map(({ start }) => start),
          fields.map(({ start }) => start).toSorted((a, b) => a - b),
        )
      }),
      { numRuns: 2000 },
    )
  })

  test('are those of the text where keys that look like indices come first in the value', () => {
    const bytes = Buffer.from('{"b": 1, "2": [2,"}"], "\\u0031" : {"b":3}, "a":4}')
    const { fields } = parseBody(bytes)
    assert.deepEqual(
      fields.map(({ name }) => name),
      ['b', '2', '1', 'a'],
    )
  })

  test('end strings where JSON does, whatever backslashes stand before a quote', () => {
    for (const length of [0, 1, 2, 29, 30, 31, 32, 33, 34, 63, 64, 65, 100, 1000]) {
      for (let slashes = 0; slashes < 8; slashes++) {
        for (const tail of ['', 'b', 'b'.repeat(40)]) {
          const text = 'a'.repeat(length) + '\\'.repeat(slashes) + (slashes % 2 === 1 ? '"' : '') + tail
          const bytes = Buffer.from(`{"x":"${text}","y":"}{"}`)
          const { fields, value } = parseBody(bytes)
          assert.deepEqual(Object.keys(value), ['x', 'y'])
          assert.equal(bytes.toString('utf8', fields[0]?.valueStart, fields[0]?.end), `"${text}"`)
        }
      }
    }
  })
})

describe('what the scan knows before anything is parsed', () => {
  const parsed = (text: string): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      return undefined
    }
  }
  const countContainers = (value: unknown): number =>
    typeof value === 'object' && value !== null
      ? Object.values(value).reduce((sum: number, item) => sum + countContainers(item), 1)
      : 0

  test('H07 every valid text is closed, and its objects and arrays are counted', () => {
    fc.assert(
      fc.property(jsonObject, randomly, (object, choose) => {
        const { isClosed, containers } = scanBody(Buffer.from(writeFreely(object, choose)))
        assert.ok(isClosed)
        assert.equal(containers, countContainers(object))
      }),
      { numRuns: 1000 },
    )
  })

  test('H07 no text that is not closed is valid', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...'{}[]:,"\\ a1')), characters => {
        const text = characters.join('')
        if (!scanBody(Buffer.from(text)).isClosed) assert.equal(parsed(text), undefined, text)
      }),
      { numRuns: 5000 },
    )
  })

  test('H07 a string, an object or an array without end is not closed, nor is what goes on behind the end', () => {
    for (const text of [
      '{"a":1',
      '{"a":[1}',
      '{"a',
      '"a',
      '"a\\"',
      '{"a":1}x',
      '{"a":1}{}',
      '}',
      '1}',
      '{"a":1} \n\u00a0',
    ]) {
      assert.ok(!scanBody(Buffer.from(text)).isClosed, text)
    }
    for (const text of ['{"a":1}', ' {"a":"}"}\r\n\t ', '[]', '"a"', '1', `{"a":1}${' '.repeat(1000)}`]) {
      assert.ok(scanBody(Buffer.from(text)).isClosed, text)
    }
  })

  test('H07 no number is too large where none may be', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 400 })
    const exponent = fc.tuple(fc.constantFrom('e', 'E', 'e+', 'E-'), fc.nat(999)).map(parts => parts.join(''))
    const number = fc
      .tuple(fc.constantFrom('', '-'), digits, fc.option(digits), fc.option(exponent))
      .map(([sign, whole, part, power]) => `${sign}1${whole}${part === null ? '' : `.${part}`}${power ?? ''}`)
    fc.assert(
      fc.property(fc.array(number, { maxLength: 5 }), numbers => {
        const { mayOverflow } = scanBody(Buffer.from(`{"a":[${numbers.join(' , ')}]}`))
        if (!mayOverflow) assert.ok(numbers.every(text => Number.isFinite(Number(text))))
      }),
      { numRuns: 2000 },
    )
    assert.ok(!scanBody(Buffer.from('{"a":[true,false,1.5,null,"1e5"]}')).mayOverflow)
  })

  test('runs of any length end where they do', () => {
    for (let length = 0; length < 80; length++) {
      for (const run of [' '.repeat(length), '\n\r\t '.repeat(length / 4)]) {
        const bytes = Buffer.from(
          `{"a":${run}1${'0'.repeat(length)}${run},"b":[${run}]${run},"c":${run}"${run}"}${run}`,
        )
        const { spans, colons, containers, isClosed } = scanBody(bytes)
        const cut = [0, 3, 6].map(at => bytes.toString('utf8', spans[at + 1], spans[at + 2]))
        assert.deepEqual(cut, [`1${'0'.repeat(length)}`, `[${run}]`, `"${run}"`])
        assert.deepEqual({ colons, containers, isClosed }, { colons: 3, containers: 2, isClosed: true })
      }
    }
  })
})

describe('H07 the bounds on what a body holds', () => {
  const arrays = (depth: number) => Buffer.from(`{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`)
  const message = (bytes: Buffer) => {
    try {
      scanBody(bytes)
      return 'passes'
    } catch (error) {
      return (error as Error).message
    }
  }

  test('H07 depth: 64 levels pass, 65 do not', () => {
    assert.equal(message(arrays(bodyBounds.depth)), 'passes')
    assert.match(message(arrays(bodyBounds.depth + 1)), /more than 64 levels/)
  })

  test('H07 each count passes at its bound and fails one above it', () => {
    const shapes: [keyof typeof bodyBounds, (count: number) => string, RegExp][] = [
      ['colons', count => `{"a":{${Array.from({ length: count - 1 }, (_, at) => `"${at}":1`).join()}}}`, /25000 keys/],
      ['commas', count => `[${'1,'.repeat(count)}1]`, /500000 commas/],
      ['containers', count => `[${'[],'.repeat(count - 2)}[]]`, /50000 objects and arrays/],
      ['strings', count => `[${'"",'.repeat(count - 1)}""]`, /100000 strings/],
      ['marks', count => `[${'1.5,'.repeat(count - 1)}1e5]`, /100000 fractions, exponents and booleans/],
      ['rows', count => `{"a":[1${' '.repeat(count - 102)}, ${'9'.repeat(100)}]}`, /2000000 bytes of spaces or digits/],
      ['fields', count => `{${Array.from({ length: count }, (_, at) => `"k${at}":1`).join()}}`, /512 top-level fields/],
    ]
    for (const [name, write, pattern] of shapes) {
      assert.equal(message(Buffer.from(write(bodyBounds[name]))), 'passes', name)
      assert.match(message(Buffer.from(write(bodyBounds[name] + 1))), pattern)
    }
  })

  test('H07 rows of spaces count wherever they stand, and short ones do not', () => {
    const { rows } = bodyBounds
    const [space, half] = [' '.repeat(rows + 1), ' '.repeat(rows / 2 + 1)]
    for (const text of [`${space}{}`, `{${space}}`, `{"a":${space}1}`, `{"a":${half}1,"b":${half}2}`, `{}${space}`]) {
      assert.match(message(Buffer.from(text)), /in long rows/, text.trim().slice(0, 6))
    }
    assert.equal(message(Buffer.from(`[${`1${' '.repeat(30)},`.repeat(rows / 30)}1]`)), 'passes')
  })

  test('H07 what stands inside a string counts for nothing', () => {
    const text = '[{:,'.repeat(300_000)
    assert.equal(message(Buffer.from(JSON.stringify({ a: text, b: `"${text}\\` }))), 'passes')
  })

  test('H07 no bytes at all make the scan fail otherwise than by a bound', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...'{}[]:,"\\ a1')), characters => {
        const bytes = Buffer.from(characters.join(''))
        assert.ok(/passes|more than/.test(message(bytes)))
      }),
      { numRuns: 2000 },
    )
  })
})
