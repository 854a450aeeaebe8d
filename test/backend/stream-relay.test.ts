import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { StreamRelay } from '../../src/backend/stream-relay.ts'
import { UsageTally } from '../../src/domain/usage.ts'
import { recordedBody, recordedEvents } from '../support/recording.ts'
import { done, fault, finish, frame, run, split } from './relay-run.ts'

const recordings = [
  '021-chat-stream',
  '022-chat-stream-usage',
  '040-chat-logprobs-stream',
  '052-tools-required-stream',
  '141-completions-stream',
  '361-reasoning-stream',
]

/** What a caller who did not ask for usage is to get of these events. */
function expected(name: string, model: string) {
  return recordedEvents(name)
    .filter(event => (event['choices'] as unknown[]).length > 0)
    .map(({ usage: _usage, timings: _timings, ...event }) => ({ ...event, model }))
}

for (const name of recordings) {
  test(`S09 ${name}: the same events whatever the pieces`, () => {
    const body = recordedBody(name)
    for (const model of ['public-name', 'tinychat']) {
      for (const size of [1, 7, 64, 500, body.length]) {
        const { events, text } = run(split(body, size), { model })
        assert.deepEqual(events, expected(name, model), `${model}, pieces of ${size}`)
        assert.ok(text.endsWith(done))
        assert.equal(text.split('[DONE]').length, 2)
      }
    }
  })
}

test('S09 content is relayed to the letter, at every split', () => {
  const texts = fc.array(
    fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.constantFrom('usage', 'timings', 'error', '"model":"alias"', 'model', '[DONE]', '\n\n'),
    ),
    { minLength: 1, maxLength: 10 },
  )
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 90 }), fc.boolean(), (contents, size, crlf) => {
      const wire = [frame('first'), ...contents.map(content => frame(content)), finish, done].join('')
      const bytes = Buffer.from(crlf ? wire.replaceAll('\n', '\r\n') : wire)
      const { events } = run(split(bytes, size))
      const got = events.map(
        event => (event as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content,
      )
      assert.deepEqual(got, ['first', ...contents, undefined])
      for (const event of events) assert.equal(event['model'], 'public-name')
    }),
    { numRuns: 500 },
  )
})

test('where both names are equal the bytes are not touched', () => {
  const chunk = Buffer.from(frame('second', { spaced: 1.0 }))
  const out: Buffer[] = []
  const relay = new StreamRelay({
    model: 'alias',
    tally: new UsageTally(true, 1),
    includeUsage: false,
    hideCachedTokens: false,
    choices: 1,
    onFrames: frames => out.push(frames),
  })
  relay.push(Buffer.from(frame('first')))
  relay.push(chunk)
  assert.equal(out[1], chunk)
})

test('the name is patched however the backend spaces its JSON, and only where it is the model', () => {
  const spaced = (content: string) =>
    `data: {"choices": [{"index": 0, "delta": {"content": "${content}"}}], "base_model": "alias", "model": "alias"}\n\n`
  const { events } = run([Buffer.from(spaced('a')), Buffer.from(spaced('b')), Buffer.from(finish + done)])
  assert.deepEqual(events.map(event => [event['base_model'], event['model']]).slice(0, 2), [
    ['alias', 'public-name'],
    ['alias', 'public-name'],
  ])
})

test('usage is told once, at the end, and only to those who asked', () => {
  const body = recordedBody('022-chat-stream-usage')
  const asked = run([body], { includeUsage: true }).events
  const last = asked.at(-1)
  assert.deepEqual(last?.['choices'], [])
  assert.deepEqual(last?.['usage'], {
    prompt_tokens: 16,
    completion_tokens: 8,
    total_tokens: 24,
    prompt_tokens_details: { cached_tokens: 15 },
  })
  assert.equal(last?.['model'], 'public-name')
  assert.equal(last?.['id'], asked[0]?.['id'])
  assert.equal(asked.filter(event => 'usage' in event).length, 1)
  assert.ok(!JSON.stringify(run([body]).events).includes('usage'))
})

test('usage comes from timings where the backend gives nothing else', () => {
  const { events } = run([recordedBody('021-chat-stream')], { includeUsage: true })
  assert.partialDeepStrictEqual(events.at(-1), { usage: { completion_tokens: 8 } })
  assert.ok(!JSON.stringify(events).includes('timings'))
})

test('the usage of several choices is one event with their sum', () => {
  const { events } = run([recordedBody('035-chat-n2-stream')], {
    includeUsage: true,
    tally: new UsageTally(true, 2),
    choices: 2,
  })
  const told = events.filter(event => 'usage' in event)
  assert.equal(told.length, 1)
  assert.deepEqual(told[0]?.['usage'], {
    prompt_tokens: 14,
    completion_tokens: 6,
    total_tokens: 20,
    prompt_tokens_details: { cached_tokens: 13 },
  })
})

test('cached tokens are hidden where accounts must not learn of each other', () => {
  const { events } = run([recordedBody('022-chat-stream-usage')], { includeUsage: true, hideCachedTokens: true })
  assert.ok(!JSON.stringify(events).includes('cached'))
})

test('content begins with the first token, not with the role', () => {
  const relay = new StreamRelay({
    model: 'm',
    tally: new UsageTally(true, 1),
    includeUsage: false,
    hideCachedTokens: false,
    choices: 1,
    onFrames: () => {},
  })
  relay.push(
    Buffer.from('data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}],"model":"alias"}\n\n'),
  )
  assert.equal(relay.hasContent, false)
  relay.push(Buffer.from(frame('x')))
  assert.equal(relay.hasContent, true)
})

test('S12 a stream that ends without finish reason and [DONE] is incomplete', () => {
  assert.throws(() => run([Buffer.from(frame('a'))]), fault('incomplete'))
  assert.throws(() => run([Buffer.from(`${frame('a')}${finish}data: {"cho`)]), fault('incomplete'))
  assert.throws(() => run([]), fault('incomplete'))
  assert.throws(() => run([Buffer.from(done)]), fault('incomplete'))
  assert.throws(() => run([Buffer.from(frame('a') + finish)], { choices: 2 }), fault('incomplete'))
})

test('a stream that ends after its finish reason is whole, and gets the [DONE] it lacks', () => {
  assert.ok(run([Buffer.from(frame('a') + finish)]).text.endsWith(done))
})

test('S11 an error in the stream is a fault, first or later', () => {
  const error = Buffer.from('data: {"error":{"code":500,"message":"Context size has been exceeded."}}\n\n')
  assert.throws(() => run([error]), fault('failed'))
  assert.throws(() => run([Buffer.from(frame('a')), error]), fault('failed'))
})

test('what is not JSON is a fault', () => {
  assert.throws(() => run([Buffer.from('data: {"choices":\n\n')]), fault('rubbish'))
  assert.throws(() => run([Buffer.from('data: 7\n\n')]), fault('rubbish'))
})

test('S13 a frame without end is cut at the bound', () => {
  const relay = new StreamRelay({
    model: 'm',
    tally: new UsageTally(true, 1),
    includeUsage: false,
    hideCachedTokens: false,
    choices: 1,
    onFrames: () => {},
  })
  const piece = Buffer.alloc(64 * 1024, 'x')
  assert.throws(() => {
    for (let i = 0; i < 1024; i++) relay.push(piece)
  }, fault('rubbish'))
})

test('events mode: each event is looked at, and may be changed or dropped', () => {
  let looked = 0
  const { events } = run([Buffer.from(frame('a') + frame('b') + finish + done)], {
    look: event => {
      looked++
      return looked === 2 ? null : { ...event, seen: looked }
    },
  })
  assert.equal(looked, 3)
  assert.deepEqual(
    events.map(event => event['seen']),
    [1, 3],
  )
})

test('nothing after [DONE] is relayed', () => {
  const { text } = run([Buffer.from(frame('a') + finish + done + frame('b')), Buffer.from('proxy error: x')])
  assert.ok(text.endsWith(done))
  assert.ok(!text.includes('"b"'))
})
