import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Fault } from '../../src/backend/fault.ts'
import { StreamRelay } from '../../src/backend/stream-relay.ts'
import { UsageTally } from '../../src/domain/usage.ts'

const event = (more: object) =>
  JSON.stringify({ choices: [{ index: 0, delta: { content: 'a' } }], model: 'alias', ...more })
const line = fc.constantFrom(
  `data: ${event({})}`,
  `data:${event({})}`,
  `data: ${event({ usage: { prompt_tokens: 1, completion_tokens: 2 } })}`,
  `data: ${event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}`,
  'data: {"choices":[],"usage":{"prompt_tokens":1}}',
  'data: {"choices":[{"index":0,"text":"a","finish_reason":null}],"model": "alias"}',
  'data: [DONE]',
  'data',
  'data: ',
  'dat',
  ': comment',
  'event: x',
  'ü',
  '',
  '',
)
const lineEnd = fc.constantFrom('\n', '\n\n', '\n\n\n', '\r', '\r\n', '\r\n\r\n')
const piece = fc.tuple(line, lineEnd).map(parts => parts.join(''))

test('S09 whatever lines come, however they are cut, what goes out is whole frames or a fault, and it ends', () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.array(fc.nat(2000), { maxLength: 10 }),
      fc.constantFrom('alias', 'public'),
      (pieces, cuts, model) => {
        const bytes = Buffer.from(pieces.join(''))
        const points = [...new Set([0, ...cuts.map(cut => cut % (bytes.length + 1)), bytes.length])].sort(
          (a, b) => a - b,
        )
        const out: Buffer[] = []
        const relay = new StreamRelay({
          model,
          tally: new UsageTally(false, 1),
          includeUsage: true,
          hideCachedTokens: false,
          choices: 1,
          onFrames: frames => out.push(frames),
        })
        try {
          points.slice(1).forEach((end, n) => void relay.push(bytes.subarray(points[n], end)))
          relay.end()
        } catch (error) {
          assert.ok(error instanceof Fault, String(error))
        }
        const text = Buffer.concat(out).toString('utf8')
        assert.match(text, /^(data: [^\n]*\n\n)*$/)
        assert.doesNotMatch(text, model === 'public' ? /alias/ : /public/)
        assert.ok(!text.includes('[DONE]') || text.endsWith('data: [DONE]\n\n'))
      },
    ),
    { numRuns: 3000 },
  )
})
