import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StreamRelay } from '../../src/backend/stream-relay.ts'
import { UsageTally } from '../../src/domain/usage.ts'
import { recordedBody } from '../support/recording.ts'
import { done, finish, frame, run, split } from './relay-run.ts'

const role = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}],"model":"alias"}\n\n'

const streams: Record<string, readonly [pieces: number, wire: string]> = {
  'nothing yet': [0, ''],
  'who speaks': [0, role],
  'three tokens and half of one': [3, role + frame('a') + frame('b') + frame('c') + frame('d').slice(0, 20)],
  'comments between': [2, `${frame('a')}: ping\n\n${frame('b')}: ping\n\n`],
  'an end that passes unparsed': [2, frame('a') + frame('b') + finish],
  'an end at once': [0, finish],
  'a frame that tells something': [3, frame('a') + frame('b', { usage: null }) + frame('c')],
  'an event of another name': [3, frame('a') + frame('b', { model: 'other' }) + frame('c')],
  'reasoning and a call': [
    2,
    [{ reasoning_content: 'hm' }, { tool_calls: [{ index: 0 }] }]
      .map(delta => `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`)
      .join(''),
  ],
  'what comes after the end': [1, frame('a') + finish + done + frame('b')],
}

for (const [what, [pieces, wire]] of Object.entries(streams)) {
  test(`pieces of a stream that was cut: ${what}`, () => {
    for (const model of ['alias', 'public-name']) {
      for (const look of [undefined, () => null]) {
        const relay = new StreamRelay({
          model,
          tally: new UsageTally(true, 1),
          includeUsage: false,
          hideCachedTokens: false,
          choices: 1,
          onFrames: () => {},
          ...(look === undefined ? {} : { look }),
        })
        // One by one: what comes with the first token is parsed.
        for (const part of wire.split(/(?<=\n\n)/)) relay.push(Buffer.from(part))
        assert.equal(relay.pieces, pieces)
      }
    }
  })
}

test('pieces of recorded answers are their tokens, but for those that show nothing', () => {
  for (const [name, tokens] of [
    ['021-chat-stream', 8],
    ['022-chat-stream-usage', 8],
    ['141-completions-stream', null],
  ] as const) {
    const tally = new UsageTally(true, 1)
    const { relay } = run(split(recordedBody(name), 300), { tally })
    const { outputTokens = Number.NaN } = tally.total() ?? {}
    assert.equal(tokens ?? outputTokens, outputTokens, name)
    assert.ok(relay.pieces <= outputTokens && relay.pieces >= outputTokens - 1, `${name}: ${relay.pieces}`)
  }
})

test('each choice has pieces of its own', () => {
  const tally = new UsageTally(true, 2)
  const { relay } = run(split(recordedBody('035-chat-n2-stream'), 300), { choices: 2, tally })
  assert.equal(tally.total()?.outputTokens, 6)
  assert.ok(relay.pieces >= 4 && relay.pieces <= 6, String(relay.pieces))
})
