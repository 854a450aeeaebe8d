import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, finish, frame, run } from './relay-run.ts'

const envelope = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 7, model: 'public-name' }

test('events that lack what every event has get it, each of them, and the usage event too', () => {
  const usage = 'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
  const pieces = [frame('a', { id: null }), frame('b') + frame('c'), finish, usage + done].map(text =>
    Buffer.from(text),
  )
  const { events } = run(pieces, { envelope, includeUsage: true })
  assert.equal(events.length, 5)
  for (const event of events) assert.partialDeepStrictEqual(event, envelope)
})

test('events that have all of it keep theirs', () => {
  const own = { id: 'x', object: 'chat.completion.chunk', created: 1 }
  const { events } = run([Buffer.from(frame('a', own)), Buffer.from(frame('b', own) + finish + done)], { envelope })
  assert.partialDeepStrictEqual(events[1], { ...own, model: 'public-name' })
})
