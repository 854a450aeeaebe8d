import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, fault, finish, frame, run, split } from './relay-run.ts'

for (const error of [
  'event: error\ndata: {"message":"it broke","code":500}\n\n',
  'event:error\ndata: broken\n\n',
  'data: {"object":"error","message":"it broke","code":400}\n\n',
  'data: {"message":"it broke","code":500}\n\n',
]) {
  test(`S11 an error that is not OpenAI's is one, also before [DONE]: ${JSON.stringify(error)}`, () => {
    for (const model of ['public-name', 'alias']) {
      assert.throws(() => run([Buffer.from(frame('a')), Buffer.from(error + done)], { model }), fault('failed'))
      assert.throws(() => run([Buffer.from(error + done)], { model }), fault('failed'))
    }
  })
}

test('S12 [DONE] without the finish reason of a choice that began is no end', () => {
  const choice = (index: number, finish_reason: string | null, more = {}) =>
    `data: ${JSON.stringify({ choices: [{ index, delta: { content: 'x' }, finish_reason }], model: 'alias', ...more })}\n\n`
  for (const model of ['public-name', 'alias']) {
    assert.throws(() => run([Buffer.from(frame('a') + done)], { model }), fault('incomplete'))
    const contents = Array.from({ length: 9 }, () => Buffer.from(frame('b')))
    assert.throws(() => run([...contents, Buffer.from(done)], { model }), fault('incomplete'))
    const begun = choice(0, null) + choice(1, null) + choice(1, 'stop')
    assert.throws(() => run([Buffer.from(begun + done)], { model, choices: 2 }), fault('incomplete'))
    assert.ok(run([Buffer.from(begun + choice(0, 'length') + done)], { model, choices: 2 }).text.endsWith(done))
  }
})

test('usage, comments and empty data may come between the finish reason and [DONE], and choices once more', () => {
  const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }
  const noChoices = `data: ${JSON.stringify({ choices: [], model: 'alias', usage })}\n\n`
  const between = [noChoices, ': comment\n\n', 'data:\n\n', 'data: \n\n', frame('', { usage }), frame(''), frame('')]
  for (const model of ['public-name', 'alias']) {
    for (const size of [20, 10_000]) {
      const bytes = Buffer.from([frame('a'), frame('b'), finish, ...between, done].join(''))
      assert.ok(run(split(bytes, size), { model }).text.endsWith(done))
    }
  }
})
