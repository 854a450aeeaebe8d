import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import { parseBody, parseLargeBody } from '../../src/domain/body-parse.ts'
import { WeirError } from '../../src/errors.ts'

const refusal = (body: string | Buffer): WeirError => {
  try {
    parseBody(Buffer.from(body))
  } catch (error) {
    assert.ok(error instanceof WeirError, String(error))
    assert.equal(error.statusCode, 400)
    return error
  }
  return assert.fail(`${body.toString().slice(0, 80)} was taken`)
}

describe('what is valid JSON and still refused', () => {
  const cases: [string, string, RegExp][] = [
    ['{"a":{"b":[1,{"c":1e400}]}}', 'a.b[1].c', /too large for a number/],
    ['{"a":-1e309}', 'a', /too large/],
    ['{"a":1,"b":2,"a":3}', 'a', /twice/],
    ['{"x":[{"k":1},{"k":1,"j":{"k":2,"k":3}}]}', 'x[1].j.k', /twice/],
    ['{"\\u0061":1,"a":2}', 'a', /twice/],
    ['{"a b":1,"a b":2}', '["a b"]', /twice/],
    ['{"":1,"":2}', '[""]', /twice/],
    ['{"__proto__":1}', '__proto__', /not allowed/],
    ['{"a":[{"__proto__":{}}]}', 'a[0].__proto__', /not allowed/],
    ['{"a":{"\\u005f_proto\\u005f\\u005f":1}}', 'a.__proto__', /not allowed/],
    ['{"constructor":{"prototype":1}}', 'constructor', /prototype/],
    ['{"a":{"const\\u0072uctor":{"x":1,"prototyp\\u0065":null}}}', 'a.constructor', /prototype/],
    ['{"a":"\\ud800"}', 'a', /surrogate/],
    ['{"a":["x","\\udc00\\ud800"]}', 'a[1]', /surrogate/],
    ['{"a":{"\\uDFFF":1}}', 'a["\\udfff"]', /surrogate/],
  ]
  for (const [body, param, pattern] of cases) {
    test(`H07 ${body} is refused at ${param}`, () => {
      const error = refusal(body)
      assert.equal(error.param, param)
      assert.match(error.message, pattern)
    })
  }

  test('H07 what is refused is found wherever it stands, also behind a value that a repeated key has dropped', () => {
    const cases: [string, string, RegExp][] = [
      ['{"a":[[],[1,{"b":[]},{"__proto__":1}]],"c":1}', 'a[1][2].__proto__', /not allowed/],
      ['{"a":[[[]]],"a":1,"b":[{"__proto__":1}]}', 'b[0].__proto__', /not allowed/],
      ['{"a":[{},{}],"a":{"constructor":{"prototype":1}}}', 'a.constructor', /prototype/],
      [`{"a":[1,2,[3,${'9'.repeat(309)},{}]]}`, 'a[2][1]', /too large/],
      [`{"a":[1,[],-${'9'.repeat(310)}.5]}`, 'a[2]', /too large/],
      ['{"a":[{"b":{}},{"b":1E+400}]}', 'a[1].b', /too large/],
      ['{"a":{"b":[]},"c":{"d":1,"d":2}}', 'c.d', /twice/],
      ['{"a":{"1":1,"b":2,"1":3}}', 'a["1"]', /twice/],
    ]
    for (const [body, param, pattern] of cases) {
      const error = refusal(body)
      assert.equal(error.param, param)
      assert.match(error.message, pattern)
    }
  })

  test('H07 names like those that are refused pass', () => {
    const body = {
      constructor: { type: 'object', properties: { prototype: 1 } },
      properties: { constructor: { type: 'string' } },
      prototype: { constructor: null },
      toString: 1,
      hasOwnProperty: 1,
      proto: 1,
      __proto: 1,
    }
    assert.deepEqual({ ...parseBody(Buffer.from(JSON.stringify(body))).value }, body)
  })

  test('H07 a pair of surrogates passes, escaped or not', () => {
    assert.deepEqual(parseBody(Buffer.from('{"a":"\\ud83d\\ude00😀\\\\ud800"}')).value, { a: '😀😀\\ud800' })
  })

  test('H07 nothing of a refused body stays behind', () => {
    refusal('{"__proto__":{"polluted":1}}')
    assert.equal(({} as Record<string, unknown>).polluted, undefined)
  })
})

describe('what is no JSON object', () => {
  const cases: [string | Buffer, RegExp][] = [
    ['', /empty: send a JSON object/],
    ['   ', /expected a value, found the end of the body, at line 1, column 4/],
    ['null', /must be a JSON object; it is null/],
    ['[]', /must be a JSON object; it is an array/],
    ['"a"', /must be a JSON object; it is a string/],
    ['1', /must be a JSON object; it is a number/],
    ['{"a":1,}', /expected a key in double quotes, found '}', at line 1, column 8/],
    ['{\n  "a": tru\n}', /expected a value, found 't', at line 2, column 8/],
    ['{"a" 1}', /expected ':', found '1', at line 1, column 6/],
    ["{'a':1}", /expected a key in double quotes, found ''', at line 1, column 2/],
    ['{"a":1 "b":2}', /expected ',' or '}', found '"', at line 1, column 8/],
    ['{"a":[1 2]}', /expected ',' or ']', found '2', at line 1, column 9/],
    ['{"a":1}x', /expected the end of the body, found 'x', at line 1, column 8/],
    ['{"a":"\n"}', /the character U\+000A must be escaped in a string/],
    ['{"a":"\\x"}', /a backslash begins none of the escapes/],
    ['{"a":"b', /a string is not closed .* at line 1, column 6/],
    ['{"a":é}', /expected a value, found the character U\+00E9/],
    [Buffer.from('{"a":1}', 'utf16le'), /found the character U\+0000/],
    [Buffer.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]), /not valid UTF-8/],
    [Buffer.from([0x7b, 0x22, 0x80, 0x22, 0x3a, 0x31, 0x7d]), /not valid UTF-8/],
    ['\ufeff{"a":1}', /byte order mark/],
  ]
  for (const [body, pattern] of cases) {
    test(`H07 ${JSON.stringify(body.toString())} is refused and told why`, () => {
      assert.match(refusal(body).message, pattern)
    })
  }

  test('H07 an error never gives more than a character of the body back', () => {
    const secret = 'sk-secret-secret'
    for (const body of [`{"a":${secret}}`, `{"a":"${secret}`, `${secret}`, `{"a":1}${secret}`, `{"${secret}" 1}`]) {
      assert.doesNotMatch(refusal(body).message, /secre/)
    }
  })

  test('H07 a key that is named in an error is cut and printable', () => {
    const key = `\\u0007\\u202e${'k'.repeat(500)}`
    const error = refusal(`{"a":{"${key}":1,"${key}":2}}`)
    assert.ok((error.param ?? '').length <= 260)
    assert.match(error.param ?? '', /^[\x20-\x7e…]*$/)
  })
})

describe('a large body', () => {
  const pauses = () => {
    const counter = { count: 0, pause: async () => void counter.count++ }
    return counter
  }

  test('is read as a small one is, with pauses', async () => {
    const bytes = Buffer.from(JSON.stringify({ a: [1, 'x', { b: 2 }], c: 'é' }))
    const counter = pauses()
    assert.deepEqual(await parseLargeBody(bytes, counter.pause), parseBody(bytes))
    assert.equal(counter.count, 4)
  })

  test('with half of a surrogate pair is refused before it is read, by the name of its field', async () => {
    const counter = pauses()
    const body = Buffer.from('{"a":1,"b":["\\u0041\\ud800"],"c":2}')
    await assert.rejects(parseLargeBody(body, counter.pause), { param: 'b', message: /surrogate.* at byte 19\./ })
    assert.equal(counter.count, 1)
  })

  test('is refused as a small one is', async () => {
    for (const body of ['{"a":1,"a":2}', '{', '{"a":"', '{"a":1}x', '{"a" 1}', '[]', '{"a":1e999}']) {
      const { message, param } = refusal(body)
      await assert.rejects(parseLargeBody(Buffer.from(body), pauses().pause), { message, param })
    }
  })
})
