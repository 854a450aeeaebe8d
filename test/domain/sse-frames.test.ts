import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameSplitter, FrameTooLargeError, frameData } from '../../src/domain/sse-frames.ts'

const bound = 1024 * 1024

/** Feeds the pieces; the data of every frame that came out. */
function dataOf(pieces: readonly Buffer[]): string[] {
  const splitter = new FrameSplitter(bound)
  const frames = pieces.map(piece => splitter.push(piece)).filter(out => out !== null)
  for (const out of frames) assert.equal(out.subarray(-2).toString(), '\n\n', 'only whole frames come out')
  const text = Buffer.concat(frames).toString('utf8')
  return text
    .split('\n\n')
    .map(frame => frameData(frame))
    .filter(data => data !== null)
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const points = [...new Set([0, ...at.map(point => point % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
  return points.slice(1).map((end, i) => bytes.subarray(points[i], end))
}

const lineEnd = fc.constantFrom('\n', '\r\n', '\r')
const line = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).map(text => text.replace(/[\r\n]/g, '·'))
const event = fc.record({
  lines: fc.array(line, { minLength: 1, maxLength: 3 }),
  comment: fc.boolean(),
  ends: fc.array(lineEnd, { minLength: 5, maxLength: 5 }),
})

test('S09 frames come out whole and unmixed, wherever the bytes are cut and however lines end', () => {
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      fc.array(fc.nat(4000), { maxLength: 12 }),
      (events, mark, cuts) => {
        let wire = mark ? '\ufeff' : ''
        for (const { lines, comment, ends } of events) {
          if (comment) wire += `: ping${ends[4]}`
          lines.forEach((text, i) => {
            wire += `data: ${text}${ends[i]}`
          })
          // A lone CR and the LF after it would be one line ending: the blank line must be seen as one.
          const last = ends[lines.length - 1] ?? '\n'
          wire += last === '\r' && ends[3] === '\n' ? '\r' : ends[3]
        }
        // A stream whose last byte is CR is complete: the frame must not wait for a LF that never comes.
        const pieces = cut(Buffer.from(wire), cuts)
        assert.deepEqual(
          dataOf(pieces),
          events.map(({ lines }) => lines.join('\n')),
        )
      },
    ),
    { numRuns: 2000 },
  )
})

test('S09 one byte at a time', () => {
  const wire = Buffer.from('\ufeffdata: {"a":"é€😀"}\r\n\r\n: ping\n\ndata: {"b":1}\r\rdata: [DONE]\n\n')
  const pieces = [...wire].map(byte => Buffer.from([byte]))
  assert.deepEqual(dataOf(pieces), ['{"a":"é€😀"}', '{"b":1}', '[DONE]'])
})

test('a chunk of whole frames is passed on without a copy', () => {
  const splitter = new FrameSplitter(bound)
  const chunk = Buffer.from('data: {"a":1}\n\ndata: {"b":2}\n\n')
  assert.equal(splitter.push(chunk), chunk)
})

test('the beginning of a byte order mark that is none is content', () => {
  assert.deepEqual(dataOf([Buffer.from([0xef]), Buffer.from('data: x\n\n')]), [])
  assert.deepEqual(dataOf([Buffer.from('data: x\n\n')]), ['x'])
})

test('S13 a frame that never ends is refused at the bound', () => {
  const splitter = new FrameSplitter(1000)
  splitter.push(Buffer.alloc(1000, 'a'))
  assert.throws(() => splitter.push(Buffer.from('a')), FrameTooLargeError)
})

test('the data of a frame', () => {
  assert.equal(frameData('data: a'), 'a')
  assert.equal(frameData('data:a'), 'a')
  assert.equal(frameData('data:  a'), ' a')
  assert.equal(frameData('event: x\ndata: a\ndata: b\nid: 3'), 'a\nb')
  assert.equal(frameData('data'), '')
  assert.equal(frameData(': ping'), null)
  assert.equal(frameData('database: x'), null)
})
