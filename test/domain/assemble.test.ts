import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Assembler } from '../../src/domain/assemble.ts'
import { recordedBody, recordedEvents } from '../support/recording.ts'

type Reply = { choices: { index: number; message: { tool_calls?: { id: string }[] } }[] } & Record<string, unknown>

const direct = (name: string): Reply => JSON.parse(recordedBody(name).toString('utf8'))

function assembled(kind: 'chat' | 'completions', name: string): Reply {
  const assembler = new Assembler(kind)
  for (const event of recordedEvents(name)) assembler.add(event)
  assert.ok(assembler.isFinished)
  return assembler.result() as Reply
}

test('chat: the same as the direct reply to the same request', () => {
  const [stream, whole] = [assembled('chat', '021-chat-stream'), direct('020-chat')]
  assert.deepEqual(stream.choices, whole.choices)
  for (const key of ['object', 'model', 'system_fingerprint']) assert.deepEqual(stream[key], whole[key], key)
})

test('logprobs come together token by token', () => {
  assert.deepEqual(
    assembled('chat', '040-chat-logprobs-stream').choices[0],
    shortened(direct('039-chat-logprobs').choices[0]),
  )
})

/** The two recordings ask for different numbers of alternatives: the stream's is two. */
function shortened(choice: unknown): unknown {
  const copy = structuredClone(choice) as { logprobs: { content: { top_logprobs: unknown[] }[] } }
  for (const token of copy.logprobs.content) token.top_logprobs.length = 2
  return copy
}

test('a tool call comes together from its pieces', () => {
  const [stream, whole] = [assembled('chat', '052-tools-required-stream'), direct('051-tools-required')]
  const calls = stream.choices[0]?.message.tool_calls
  assert.equal(calls?.length, 1)
  assert.equal(typeof calls?.[0]?.id, 'string')
  // Its id is new each time.
  const sameId = whole.choices.map(choice => ({
    ...choice,
    message: {
      ...choice.message,
      tool_calls: choice.message.tool_calls?.map(call => ({ ...call, id: calls?.[0]?.id })),
    },
  }))
  assert.deepEqual(stream.choices, sameId)
})

test('several choices, interleaved, come out in order', () => {
  const reply = assembled('chat', '035-chat-n2-stream')
  assert.deepEqual(
    reply.choices.map(({ index }) => index),
    [0, 1],
  )
})

test('reasoning is kept apart from the answer', () => {
  const [choice] = assembled('chat', '361-reasoning-stream').choices
  const message = choice?.message as { reasoning_content?: string; content: string } | undefined
  assert.match(message?.reasoning_content ?? '', /I am tiny/)
  assert.doesNotMatch(message?.content ?? '', /I am tiny/)
})

test('reasoning keeps the name it came under', () => {
  const assembler = new Assembler('chat')
  for (const reasoning of ['I ', 'think']) assembler.add({ choices: [{ index: 0, delta: { reasoning } }] })
  assembler.add({ choices: [{ index: 0, delta: { content: 'so' }, finish_reason: 'stop' }] })
  const { message } = (assembler.result() as Reply).choices[0] ?? {}
  assert.deepEqual(message, { role: 'assistant', content: 'so', reasoning: 'I think' })
})

test('completions', () => {
  const reply = assembled('completions', '141-completions-stream')
  assert.deepEqual(reply.choices, [{ text: ' there was a', index: 0, logprobs: null, finish_reason: 'length' }])
  assert.equal(reply['object'], 'text_completion')
})

test('a choice that never ended is not an answer', () => {
  const assembler = new Assembler('chat')
  assert.equal(assembler.isFinished, false)
  assembler.add({
    choices: [
      { index: 0, delta: { content: 'a' }, finish_reason: 'stop' },
      { index: 1, delta: { content: 'b' } },
    ],
  })
  assert.equal(assembler.isFinished, false)
})
